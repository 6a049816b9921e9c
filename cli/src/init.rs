//! `hoop init`: a commented site to start from. Writes files, and none that is there already.

use hoop_gateway_core::config::Starter;

use crate::{
    arguments::{InitArguments, StarterName},
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Writes the site.
pub(crate) fn run(arguments: &InitArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let starter = match arguments.starter {
        StarterName::Payments => Starter::Payments,
        StarterName::Health => Starter::Health,
        StarterName::Engineering => Starter::Engineering,
    };
    let folder = &arguments.directory;
    let written = starter.write(folder).map_err(|error| {
        Failure::failed(format!("no site is written into {}", folder.display()))
            .caused_by(&error)
            .next("choose an empty folder")
    })?;
    for file in &written {
        context.output.text(&file.display().to_string())?;
    }
    let folder = folder.display();
    context.output.say(&format!("read {folder}/gateway.toml and connections.toml, then: hoop policy test {folder}"));
    Ok(ExitStatus::SUCCESS)
}
