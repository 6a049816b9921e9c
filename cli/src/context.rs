//! What every command is given: where to print, where its files are, which gateway is meant.
//!
//! Reads the environment once, here; commands read none. Made by `main`.

mod configuration;
mod directories;
mod gateway_url;

pub(crate) use directories::Directories;
pub(crate) use gateway_url::GatewayUrl;

use crate::{
    arguments::{Arguments, Command, GlobalArguments},
    failure::Failure,
    output::Output,
    paint::{Surroundings, Theme},
};

/// The surroundings of one command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The only way to print.
    pub(crate) output: Output,
    /// Where configuration and state live.
    pub(crate) directories: Directories,
    /// How everything looks that fills the screen.
    pub(crate) theme: Theme,
    /// Never ask; fail with what is missing instead.
    pub(crate) no_input: bool,
    gateway: Option<GatewayUrl>,
}

impl Context {
    /// Reads the global arguments and the environment.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let globals = &arguments.globals;
        let output = Output::new(globals);
        // A gateway has an operator, who wants to see what a command would only clutter the terminal with.
        let serves = matches!(arguments.command, Command::Gateway(_));
        output.install_tracing(globals.verbose.saturating_add(u8::from(serves)));
        let directories = Directories::find()?;
        // A variable that is set to nothing is not set.
        let named = globals.gateway.as_deref().filter(|gateway| !gateway.is_empty());
        let gateway = named.map(GatewayUrl::parse).transpose()?;
        let theme = theme(globals, &output);
        Ok(Self { output, directories, theme, no_input: globals.no_input, gateway })
    }

    /// The gateway that `--gateway`, `HOOP_GATEWAY` or `config.toml` names, else the one of the last login.
    pub(crate) fn gateway(&self) -> Result<GatewayUrl, Failure> {
        if let Some(gateway) = &self.gateway {
            return Ok(gateway.clone());
        }
        if let Some(gateway) = configuration::read(&self.directories)?.gateway {
            return GatewayUrl::parse(&gateway);
        }
        self.directories.remembered_gateway()?.ok_or_else(|| {
            Failure::usage("no gateway is named, and no login is remembered")
                .next("say `hoop login --gateway https://gateway.example.com`, or set HOOP_GATEWAY")
        })
    }
}

fn theme(globals: &GlobalArguments, output: &Output) -> Theme {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(read).unwrap_or_default();
    let (colorterm, term) = (read("COLORTERM").unwrap_or_default(), read("TERM").unwrap_or_default());
    let colour = output.data_has_colour();
    let surroundings =
        Surroundings { colour, colorterm: &colorterm, term: &term, locale: &locale, ascii: globals.ascii };
    Theme::fitting(globals.theme, &surroundings)
}
