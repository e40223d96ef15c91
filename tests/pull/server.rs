//! A small hub on loopback, and anything else that speaks HTTP badly enough. It ends with its test.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on should stop"
)]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether it asks for the bytes of a file.
    pub fn is_get_of(&self, file: &str) -> bool {
        self.method == "GET" && self.path.ends_with(&format!("/{file}"))
    }

    /// The first byte that is asked for.
    pub fn from(&self) -> usize {
        let range = self.header("range").unwrap_or("bytes=0-");
        let from = range.strip_prefix("bytes=").unwrap();
        from.strip_suffix('-').unwrap().parse().unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Says so of the body, instead of the truth.
    pub length: Option<u64>,
    /// Sends so many bytes of it and goes away.
    pub cut_at: Option<usize>,
    /// Waits before every so many bytes.
    pub pause: Option<(usize, Duration)>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// A redirect.
    pub fn to(location: impl Display) -> Self {
        Self::new(302, "").with("location", location)
    }
}

type Handler = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A server with its own port.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn new(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let handler: Arc<Handler> = Arc::new(Box::new(handler));
        let thread = {
            let (asked, stop) = (Arc::clone(&asked), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut threads = Vec::new();
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let (handler, asked) = (Arc::clone(&handler), Arc::clone(&asked));
                    let stop = Arc::clone(&stop);
                    let Ok(stream) = stream else { continue };
                    threads.push(std::thread::spawn(move || {
                        let _ = serve(&stream, &handler, &asked, &stop);
                    }));
                }
                for thread in threads {
                    let _ = thread.join();
                }
            })
        };
        Self {
            address,
            asked,
            stop,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// Where each request for a file's bytes began.
    pub fn ranges(&self, file: &str) -> Vec<usize> {
        let asked = self.asked();
        let gets = asked.iter().filter(|request| request.is_get_of(file));
        gets.map(Request::from).collect()
    }

    /// How often a file was asked for.
    pub fn gets(&self, file: &str) -> usize {
        self.ranges(file).len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    stream: &TcpStream,
    handler: &Handler,
    asked: &Mutex<Vec<Request>>,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let request = Request {
        method: method.into(),
        path: path.into(),
        headers,
    };
    asked.lock().unwrap().push(request.clone());
    let reply = handler(&request);
    let mut out = stream;
    write!(out, "HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status)?;
    let said = reply
        .headers
        .iter()
        .any(|(name, _)| name == "transfer-encoding");
    if !said {
        let length = reply.length.unwrap_or(reply.body.len() as u64);
        write!(out, "Content-Length: {length}\r\n")?;
    }
    for (name, value) in &reply.headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    write!(out, "\r\n")?;
    if request.method == "HEAD" {
        return Ok(());
    }
    let body = &reply.body[..reply.cut_at.unwrap_or(reply.body.len())];
    let (piece, pause) = reply.pause.unwrap_or((usize::MAX, Duration::ZERO));
    for piece in body.chunks(piece.min(body.len()).max(1)) {
        // A pause ends with the server.
        let until = std::time::Instant::now() + pause;
        while std::time::Instant::now() < until && !stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        out.write_all(piece)?;
        out.flush()?;
    }
    Ok(())
}

/// A repository as the hub shows it.
#[derive(Clone)]
pub struct Repo {
    pub name: String,
    pub commit: String,
    files: Arc<BTreeMap<String, Vec<u8>>>,
    /// Where large files are.
    cdn: Option<String>,
}

impl Repo {
    pub fn new(name: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect();
        Self {
            name: name.into(),
            commit: "0123456789abcdef0123456789abcdef01234567".into(),
            files: Arc::new(files),
            cdn: None,
        }
    }

    /// Large files come from another host.
    pub fn with_cdn(mut self, url: &str) -> Self {
        self.cdn = Some(url.into());
        self
    }

    pub fn bytes(&self, file: &str) -> &[u8] {
        &self.files[file]
    }

    /// The name of a file's blob: its SHA-256 where it is large, else its git id.
    pub fn etag(&self, file: &str) -> String {
        let bytes = self.bytes(file);
        if is_large(file) {
            return hex(&Sha256::digest(bytes));
        }
        let mut sha1 = Sha1::new();
        sha1.update(format!("blob {}\0", bytes.len()));
        sha1.update(bytes);
        hex(&sha1.finalize())
    }

    pub fn listing(&self) -> Reply {
        let names: Vec<String> = self.files.keys().cloned().collect();
        self.listing_of(&names)
    }

    pub fn listing_of(&self, names: &[String]) -> Reply {
        let files: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({ "rfilename": name }))
            .collect();
        let listing = serde_json::json!({ "id": self.name, "sha": self.commit, "siblings": files });
        Reply::new(200, listing.to_string())
    }

    /// What the hub answers.
    pub fn reply(&self, request: &Request) -> Reply {
        let listing = format!("/api/models/{}/revision/", self.name);
        if let Some(revision) = request.path.strip_prefix(&listing) {
            return match revision {
                "main" | "refs%2Fpr%2F1" => self.listing(),
                commit if commit == self.commit => self.listing(),
                _ => Reply::new(404, "").with("x-error-code", "RevisionNotFound"),
            };
        }
        let files = format!("/{}/resolve/{}/", self.name, self.commit);
        let Some(file) = request.path.strip_prefix(&files) else {
            // As the hub does to those it does not know.
            return Reply::new(401, "").with("x-error-code", "RepoNotFound");
        };
        if !self.files.contains_key(file) {
            return Reply::new(404, "").with("x-error-code", "EntryNotFound");
        }
        let etag = self.etag(file);
        match &self.cdn {
            Some(cdn) if is_large(file) => Reply::to(format!("{cdn}/blob/{file}?signature=geheim"))
                .with("x-linked-etag", format!("\"{etag}\""))
                .with("x-linked-size", self.bytes(file).len()),
            _ => self
                .content(file, request)
                .with("etag", format!("W/\"{etag}\"")),
        }
    }

    /// The bytes of a file that a request asks for.
    pub fn content(&self, file: &str, request: &Request) -> Reply {
        let (bytes, from) = (self.bytes(file), request.from());
        if from == 0 {
            return Reply::new(200, bytes);
        }
        if from >= bytes.len() {
            return Reply::new(416, "");
        }
        let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        Reply::new(206, &bytes[from..]).with("content-range", range)
    }

    /// What the other host answers.
    pub fn cdn_reply(&self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        let file = path.strip_prefix("/blob/").unwrap();
        self.content(file, request)
    }
}

fn is_large(file: &str) -> bool {
    file.ends_with("safetensors") || file.ends_with("gguf") || file == "tokenizer.json"
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
