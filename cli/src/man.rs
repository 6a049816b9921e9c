//! `hoop man`: the man pages, made from the one definition of the arguments.

use std::collections::BTreeMap;

use crate::{
    arguments::{self, ManArguments},
    context::Context,
    failure::{ExitStatus, Failure},
    output::Output,
};

/// Prints hoop(1), or writes one page per command.
pub(crate) fn run(arguments: &ManArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let pages = pages()?;
    let Some(folder) = &arguments.out else {
        Output::bytes(pages.get("hoop.1").map_or(b"", Vec::as_slice))?;
        return Ok(ExitStatus::SUCCESS);
    };
    let failed = |error: &std::io::Error| {
        Failure::failed(format!("the man pages could not be written to {}", folder.display())).caused_by(error)
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    for (name, page) in &pages {
        std::fs::write(folder.join(name), page).map_err(|error| failed(&error))?;
    }
    context.output.say(&format!("{} man pages are in {}", pages.len(), folder.display()));
    Ok(ExitStatus::SUCCESS)
}

/// Every page under its file name.
pub(crate) fn pages() -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut definition = arguments::definition().disable_help_subcommand(true);
    definition.build();
    let mut pages = BTreeMap::new();
    render(&definition, &mut pages)
        .map_err(|error| Failure::internal("a man page could not be rendered").caused_by(&error))?;
    Ok(pages)
}

fn render(command: &clap::Command, pages: &mut BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(closing) = command.get_after_help() {
        page.extend_from_slice(closing_sections(&closing.to_string()).as_bytes());
    }
    pages.insert(format!("{name}.1"), page);
    command.get_subcommands().try_for_each(|command| render(command, pages))
}

/// The paragraphs after the help, each under its own heading and line by line as written: they are examples and tables.
fn closing_sections(text: &str) -> String {
    let mut page = String::new();
    for paragraph in text.split("\n\n") {
        let (heading, lines) = paragraph.split_once(":\n").unwrap_or(("notes", paragraph));
        page.extend([".SH \"", &heading.to_uppercase(), "\"\n.nf\n"]);
        for line in lines.lines() {
            // A full stop or an apostrophe at the start of a line is a request to roff.
            let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
            page.extend(["\\&", &line, "\n"]);
        }
        page.push_str(".fi\n");
    }
    page
}
