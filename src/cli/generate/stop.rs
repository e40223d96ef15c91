use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::failure::{Code, Failure};
use crate::run::Cancel;

/// The wish to stop, as it comes from outside: Ctrl-C or, where there are signals, a polite kill. The first one while a run
/// is carried out ends it cleanly; any other ends the process at once. It is heard on a thread of its own, whatever the
/// others are doing.
pub struct Stop {
    cancel: Cancel,
    patient: Arc<AtomicBool>,
}

impl Stop {
    /// Begins to listen; the listener lives as long as the process. `scratch` is a folder to remove when the process ends
    /// at once.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn listen(scratch: Option<PathBuf>) -> Result<Self, Failure> {
        let stop = Self {
            cancel: Cancel::default(),
            patient: Arc::new(AtomicBool::new(true)),
        };
        let (cancel, patient) = (stop.cancel.clone(), Arc::clone(&stop.patient));
        let heard = move || {
            if patient.swap(false, Ordering::SeqCst) {
                cancel.cancel();
                return;
            }
            if let Some(scratch) = &scratch {
                let _ = std::fs::remove_dir_all(scratch);
            }
            std::process::exit(i32::from(Code::Later as u8));
        };
        listen(heard).map_err(|error| {
            Failure::new(Code::Bug, format!("cannot listen for Ctrl-C: {error}"))
        })?;
        Ok(stop)
    }

    /// Whom the first wish reaches.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// There is something to end cleanly again.
    pub fn patience(&self) {
        self.patient.store(true, Ordering::SeqCst);
    }

    /// There is nothing left to end cleanly.
    pub fn no_more_patience(&self) {
        self.patient.store(false, Ordering::SeqCst);
    }
}

/// Calls `heard` for every signal, on a new thread. Signals that come after this returns are not missed.
///
/// # Errors
/// When the system does not let it.
pub fn listen(heard: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    #[cfg(unix)]
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    #[cfg(not(unix))]
                    if tokio::signal::ctrl_c().await.is_err() {
                        return;
                    }
                    heard();
                }
            });
        })?;
    Ok(())
}
