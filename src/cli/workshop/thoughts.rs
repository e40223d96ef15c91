//! What roles are told of thinking and of template variables, against what their models can do.

use std::collections::BTreeMap;

use super::models::{Models, roles};
use crate::cli::failure::{Code, Failure};
use crate::engine::ChatModel;
use crate::record::ModelRole;
use crate::settings::RunSpec;

/// Refuses thoughts of a model that cannot be stopped thinking, or is told not to think.
pub fn check(spec: &RunSpec, models: &Models) -> Result<(), Failure> {
    for (role, model) in models {
        let tokens = spec.thinking_of(*role);
        if tokens == 0 {
            continue;
        }
        let name = &model.identity().reference;
        let key = if spec.models.of(*role).thinking.is_some() {
            format!("models.{role}.thinking")
        } else {
            "thinking".to_owned()
        };
        let told = format!("{key} = {tokens}, but {name} ({role})");
        if !model.thinks() {
            let (why, remedy) = match model {
                ChatModel::Scripted(_) => (
                    "does not think",
                    "the dial `think=0.5` makes every other reply come after a thought".to_owned(),
                ),
                ChatModel::Local(_) => (
                    "has no marks of thoughts: neither its chat template, its vocabulary nor its manifest tells what opens \
                     and what closes one",
                    format!(
                        "--set {key}=0; or name them in the model's colloquy.toml, like think_marks = [\"<think>\", \"</think>\"]"
                    ),
                ),
            };
            return Err(Failure::new(Code::Recipe, format!("{told} {why}")).hint(remedy));
        }
        if let ChatModel::Local(model) = model
            && let Some(switch) = &model.encoder().template().shape().thinking.switch
            && model.kwargs().get(switch).is_some_and(|on| *on == false)
        {
            let text =
                format!("{told} is told not to think by chat_template_kwargs.{switch} = false");
            let hint = format!(
                "leave {switch} out: colloquy turns it on for thoughts, and off where there are none"
            );
            return Err(Failure::new(Code::Recipe, text).hint(hint));
        }
    }
    Ok(())
}

/// What is said of variables that nothing reads.
pub fn unread(spec: &RunSpec, models: &Models) -> Vec<String> {
    let mut unread: BTreeMap<(&str, &str), Vec<ModelRole>> = BTreeMap::new();
    for (role, model) in models {
        for name in spec.kwargs_of(*role).keys() {
            let reads = match model {
                ChatModel::Local(model) => model.encoder().template().reads(name),
                ChatModel::Scripted(_) => false,
            };
            if !reads {
                let place = (name.as_str(), model.identity().reference.as_str());
                unread.entry(place).or_default().push(*role);
            }
        }
    }
    let told = |((name, model), of): (&(&str, &str), &Vec<ModelRole>)| {
        format!(
            "chat_template_kwargs.{name} changes nothing: the chat template of {model} ({}) never reads it",
            roles(of)
        )
    };
    unread.iter().map(told).collect()
}
