//! `hoop apply`, `diff`, `rollback` and `site`: the site as code, over the gateway's API.
//!
//! Words in, words out: the folder is read and sent as it is; the gateway checks it, runs its cases and changes.

use std::{fs, io::Write as _, path::Path};

use comfy_table::Table;
use hoop_gateway_core::{
    api::types::{
        ApplySite, Change, CompareSite, RollBackSite, SiteApplied, SiteChange, SiteDifference, SiteOrigin, SiteProblem,
        SiteStanding, SiteVersion,
    },
    config::SiteFiles,
};

use crate::{
    api_client::Api,
    arguments::{ApplyArguments, DiffArguments, RollbackArguments, ShowSite, SiteArguments, SiteCommand, WhyArguments},
    context::Context,
    failure::{ExitStatus, Failure},
    output::{printable, printable_line},
    policy::problem_in_words,
};

/// Sends a site and puts it in force.
pub(crate) async fn apply(arguments: ApplyArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let files = read(&arguments.site, context)?;
    let mut api = Api::new(context).await?;
    let WhyArguments { message, base } = arguments.why;
    let base = known(&mut api, base).await?;
    context.output.say(&format!("checking {} against version {base}", arguments.site.display()));
    let body = ApplySite { base, message, files: files.into_map() };
    let applied: SiteApplied = api.post("/api/v1/site/apply", &body).await?;
    done(&applied, context)
}

/// Says what a site would change.
pub(crate) async fn diff(arguments: DiffArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let files = read(&arguments.site, context)?;
    let mut api = Api::new(context).await?;
    let body = CompareSite { files: files.into_map() };
    let difference: SiteDifference = api.post("/api/v1/site/diff", &body).await?;
    context.output.value("difference", &difference, in_words)?;
    if difference.problems.is_empty() {
        return Ok(ExitStatus::SUCCESS);
    }
    Err(Failure::failed(format!("{} cannot be applied as it is", arguments.site.display()))
        .next("correct what is listed, then compare again"))
}

/// Puts an earlier version in force again.
pub(crate) async fn roll_back(arguments: RollbackArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    let WhyArguments { message, base } = arguments.why;
    let base = known(&mut api, base).await?;
    let body = RollBackSite { base, version: arguments.version, message };
    let applied: SiteApplied = api.post("/api/v1/site/rollback", &body).await?;
    done(&applied, context)
}

/// Looks at versions.
pub(crate) async fn run(arguments: SiteArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    match arguments.command {
        SiteCommand::Ls => {
            let versions: Vec<SiteStanding> = api.get("/api/v1/site/versions").await?;
            context.output.list("versions", &versions, |versions| table(context, versions))?;
        }
        SiteCommand::Show(ShowSite { version, to }) => {
            let found: SiteVersion = api.get(&format!("/api/v1/site/versions/{version}")).await?;
            match to {
                Some(folder) => write(&found, &folder, context)?,
                None => context.output.value("site", &found, whole)?,
            }
        }
    }
    Ok(ExitStatus::SUCCESS)
}

fn read(folder: &Path, context: &Context) -> Result<SiteFiles, Failure> {
    let (files, problems) = SiteFiles::read(folder);
    if problems.is_empty() {
        return Ok(files);
    }
    for problem in &problems {
        context.output.say(&problem_in_words(problem, Some(folder)));
    }
    Err(Failure::failed(format!("{} cannot be read as a site", folder.display())).next("correct what is listed"))
}

/// The version to change: the one that was named, or that in force.
async fn known(api: &mut Api, base: Option<u64>) -> Result<u64, Failure> {
    match base {
        Some(base) => Ok(base),
        None => Ok(api.get::<SiteStanding>("/api/v1/site").await?.version),
    }
}

fn done(applied: &SiteApplied, context: &Context) -> Result<ExitStatus, Failure> {
    context.output.value("applied", applied, |applied| {
        let mut text = changes(&applied.difference);
        text.push(format!("version {} is in force", applied.standing.version));
        if applied.ended_sessions > 0 {
            text.push(format!("{} live sessions end", applied.ended_sessions));
        }
        text.join("\n")
    })?;
    Ok(ExitStatus::SUCCESS)
}

fn in_words(difference: &SiteDifference) -> String {
    let mut text = vec![format!("{} is in force", standing(&difference.base))];
    text.extend(changes(difference));
    text.extend(difference.problems.iter().map(problem));
    text.join("\n")
}

fn changes(difference: &SiteDifference) -> Vec<String> {
    let mut text = Vec::new();
    let lists = [
        ("file", &difference.files),
        ("connection", &difference.connections),
        ("policy", &difference.policies),
        ("agent", &difference.agents),
    ];
    for (what, changes) in lists {
        text.extend(changes.iter().map(|change| line(what, change)));
    }
    if difference.files.is_empty() {
        text.push("nothing changes".to_owned());
    }
    if difference.masking {
        text.push("~ masking".to_owned());
    }
    text.extend(difference.ends.values().map(|why| format!("live sessions end: {}", printable_line(why))));
    text.push(format!("{} policy cases were run", difference.cases));
    text
}

fn line(what: &str, SiteChange { name, change }: &SiteChange) -> String {
    let sign = match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    };
    format!("{sign} {what} {}", printable_line(name))
}

/// What stands in the way, as people read it.
pub(crate) fn problem(problem: &SiteProblem) -> String {
    let place = match (problem.line, problem.column) {
        (0, _) => problem.file.clone(),
        (line, 0) => format!("{}:{line}", problem.file),
        (line, column) => format!("{}:{line}:{column}", problem.file),
    };
    format!("{}: {}\n  fix: {}", printable_line(&place), printable(&problem.message), printable(&problem.fix))
}

fn standing(one: &SiteStanding) -> String {
    let how = match (one.origin, one.again) {
        (SiteOrigin::Folder, _) => "the start folder".to_owned(),
        (SiteOrigin::Rollback, Some(again)) => format!("version {again} again, by {}", printable_line(&one.by)),
        (SiteOrigin::Apply | SiteOrigin::Rollback, _) => format!("applied by {}", printable_line(&one.by)),
    };
    let why = one.message.as_ref().map(|why| format!(": {}", printable_line(why))).unwrap_or_default();
    format!("version {} ({how}{why})", one.version)
}

/// Which version a gateway starts with, as its terminal is told.
pub(crate) fn in_force(one: &SiteStanding) -> String {
    format!("{} is in force", standing(one))
}

fn table(context: &Context, versions: &[SiteStanding]) -> Table {
    let mut table = context.output.new_table(&["version", "how", "by", "why", "policies"]);
    for one in versions {
        let how = match one.again {
            Some(again) => format!("{} to {again}", one.origin.as_str()),
            None => one.origin.as_str().to_owned(),
        };
        let why = one.message.as_deref().map_or_else(|| "-".to_owned(), printable_line);
        let policies: String = one.policies.chars().take(12).collect();
        table.add_row([one.version.to_string(), how, printable_line(&one.by), why, policies]);
    }
    table
}

fn whole(found: &SiteVersion) -> String {
    let files = found.files.iter().map(|(name, text)| format!("==> {} <==\n{}", printable_line(name), printable(text)));
    files.collect::<Vec<_>>().join("\n")
}

/// Writes a version out, so that it can be edited and applied. Nothing is overwritten.
fn write(found: &SiteVersion, folder: &Path, context: &Context) -> Result<(), Failure> {
    // What a gateway sent is taken for a site's files, or not at all.
    let files = SiteFiles::sent(found.files.clone()).map_err(|_problems| {
        Failure::failed("the gateway sent what is no site").next("compare the versions of both")
    })?;
    for (name, text) in files.iter() {
        let path = folder.join(name);
        let failed = |error| Failure::failed(format!("{} cannot be written", path.display())).caused_by(&error);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    }
    context.output.say(&format!("version {} is in {}", found.standing.version, folder.display()));
    Ok(())
}
