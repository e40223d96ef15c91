//! The Jinja environment of transformers, on minijinja: Python's operators, methods and printing, `tojson` without HTML
//! escapes, `raise_exception`, `strftime_now`, `{% generation %}`, trimmed blocks, and a budget for each rendering.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::printing::printed;
use super::source::{ADD, CONCAT, MODULO, MULTIPLY, SLICE, TICK, translate};
use super::{Day, budget, filters, methods, operators};

/// What a template said through `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub(super) String);

/// The one template of an environment.
pub(super) const NAME: &str = "chat";

/// An environment holding one template, [`NAME`].
pub(super) fn environment(source: &str, day: Day) -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_fuel(Some(budget::INSTRUCTIONS));
    env.set_unknown_method_callback(methods::call);
    env.set_formatter(|out, _, value| {
        if value.as_str().is_none() {
            budget::weigh(value)?;
        }
        let text = printed(value);
        budget::make(Some(text.len()))?;
        Ok(out.write_str(&text)?)
    });
    filters::install(&mut env);
    env.add_function(ADD, operators::sum);
    env.add_function(CONCAT, operators::concat);
    env.add_function(MULTIPLY, operators::multiply);
    env.add_function(MODULO, operators::modulo);
    env.add_function(SLICE, operators::slice);
    env.add_function(TICK, budget::tick);
    env.add_function(
        "raise_exception",
        |message: &Value| -> Result<Value, Error> {
            let raised = Raised(printed(message).into_owned());
            Err(
                Error::new(ErrorKind::InvalidOperation, "raised by the template")
                    .with_source(raised),
            )
        },
    );
    env.add_function("strftime_now", move |format: String| day.strftime(&format));
    let translated =
        translate(source).map_err(|reason| Error::new(ErrorKind::SyntaxError, reason))?;
    env.add_template_owned(NAME, translated)?;
    Ok(env)
}
