//! `hoop audit verify`: proves recordings offline, from their files and a public key that was kept elsewhere.
//!
//! Needs no gateway and no login. What is proved is decided in `record::verify`; here it is only told.

use std::{fs, time::Duration};

use hoop_gateway_core::record::{
    PublicKey, parse_hash,
    verify::{Finding, Report, verify},
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    arguments::{AuditArguments, AuditCommand, AuditVerify},
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: AuditArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        AuditCommand::Verify(what) => verify_folder(what, context).await,
    }
}

async fn verify_folder(what: AuditVerify, context: &Context) -> Result<ExitStatus, Failure> {
    let public = public_key(&what)?;
    let head = match what.head.as_deref() {
        Some(text) => Some(parse_hash(text).ok_or_else(|| {
            Failure::usage("the head is not a hash").next("give the 64 hexadecimal digits that an earlier run printed")
        })?),
        None => None,
    };
    let bar = progress_bar(context.output.talk_is_terminal());
    let (for_work, folder) = (bar.clone(), what.folder.clone());
    let work = move || {
        verify(&folder, public, head, |done, all| {
            for_work.set_length(all);
            for_work.set_position(done);
        })
    };
    let proved = tokio::task::spawn_blocking(work).await;
    bar.finish_and_clear();
    let report = proved
        .map_err(|error| Failure::internal("verification ended early").caused_by(&error))?
        .map_err(|error| Failure::failed("the recordings cannot be read").caused_by(&error))?;
    context.output.value("verification", &report, describe)?;
    if report.is_sound() {
        return Ok(ExitStatus::SUCCESS);
    }
    let failure = Failure::failed("these recordings are not what the holder of this key wrote");
    let failure = report.problems.iter().take(3).fold(failure, |failure, finding| failure.because(place(finding)));
    Err(failure.next("keep the folder as it is, and compare it with a copy from another place"))
}

fn public_key(what: &AuditVerify) -> Result<PublicKey, Failure> {
    let text = fs::read_to_string(&what.key).map_err(|error| {
        Failure::usage(format!("the key {} cannot be read", what.key.display()))
            .caused_by(&error)
            .next("copy `keys/recording.pub.pem` from the gateway's data folder to a safe place, and name that copy")
    })?;
    PublicKey::from_pem(&text)
        .map_err(|error| Failure::usage(format!("{} is no key", what.key.display())).caused_by(&error))
}

fn progress_bar(visible: bool) -> ProgressBar {
    if !visible {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} proving {bar:30} {bytes} of {total_bytes}, {eta} left");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_invalid| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn describe(report: &Report) -> String {
    let verdict = if report.is_sound() { "sound" } else { "NOT SOUND" };
    let mut lines = vec![
        format!("recordings   {verdict}"),
        format!("sessions     {} ({} ended, with a signed head)", report.sessions, report.session_heads),
        format!("records      {}", report.records),
        format!("checkpoints  {} signed", report.checkpoints),
        format!("unsigned     {} records behind the last checkpoint", report.unsigned_records),
        format!("head         {}", report.head),
    ];
    lines.extend(report.warnings.iter().map(|finding| format!("warning      {}", place(finding))));
    lines.extend(report.problems.iter().map(|finding| format!("problem      {}", place(finding))));
    lines.join("\n")
}

fn place(finding: &Finding) -> String {
    printable_line(&format!("{} at byte {}: {}", finding.file.display(), finding.offset, finding.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_the_place_of_each_problem() {
        let finding = Finding { file: "00000001.log".into(), offset: 17, what: "does not hash".to_owned() };
        let report = Report { head: "ab".repeat(32), problems: vec![finding], records: 3, ..Report::default() };
        let text = describe(&report);
        assert!(text.starts_with("recordings   NOT SOUND"));
        assert!(text.ends_with("problem      00000001.log at byte 17: does not hash"));
    }
}
