//! A recipe, and a model's `colloquy.toml`.
#![no_main]

use std::path::Path;

use colloquy::model::Manifest;
use colloquy::settings::{Environment, Overrides, RecipeText, resolve};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(reason) = Manifest::parse(text) {
        assert!(
            reason.len() < 4 * text.len() + 1000,
            "a message is for people"
        );
    }
    let recipe = RecipeText::from_file(Path::new("recipe.toml"), text.to_owned());
    let environment = Environment::from_lookup(|_| None);
    match resolve(&recipe, &Overrides::default(), &environment) {
        Ok(settings) => {
            settings.entries();
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
});
