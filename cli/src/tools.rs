//! `hoop tools`: what the tools of MCP servers say they do, and what of it changed.
//!
//! Definitions come from servers and pass through `printable`.

use comfy_table::Table;
use hoop_gateway_core::api::types::{AcceptTool, ToolItem, ToolState};

use crate::{
    api_client::Api,
    arguments::{AcceptedTool, OneTool, ToolsArguments, ToolsCommand},
    context::Context,
    failure::{ExitStatus, Failure},
    output::{printable, printable_line},
};

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: ToolsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    match arguments.command {
        ToolsCommand::Ls(of) => {
            let tools = all(&mut api, &of.connection).await?;
            context.output.list("tools", &tools, |tools| table(context, tools))?;
            let changed = tools.iter().filter(|tool| tool.state == ToolState::Changed).count();
            if changed > 0 {
                context.output.say(&format!("{changed} changed and are hidden; read them with `hoop tools show`."));
            }
        }
        ToolsCommand::Show(one) => show(&mut api, &one, context).await?,
        ToolsCommand::Accept(accepted) => accept(&mut api, &accepted, context).await?,
    }
    Ok(ExitStatus::SUCCESS)
}

async fn all(api: &mut Api, connection: &str) -> Result<Vec<ToolItem>, Failure> {
    api.get(&format!("/api/v1/connections/{}/tools", part(connection)?)).await
}

async fn show(api: &mut Api, one: &OneTool, context: &Context) -> Result<(), Failure> {
    let tools = all(api, &one.connection).await?;
    let tool = tools.iter().find(|tool| tool.name == one.tool).ok_or_else(|| {
        Failure::failed(format!("no definition of `{}` was ever seen", printable_line(&one.tool)))
            .next(format!("list them with `hoop tools ls {}`", printable_line(&one.connection)))
    })?;
    context.output.value("tool", tool, describe)
}

async fn accept(api: &mut Api, accepted: &AcceptedTool, context: &Context) -> Result<(), Failure> {
    let OneTool { connection, tool } = &accepted.of;
    let path = format!("/api/v1/connections/{}/tools/{}/accept", part(connection)?, part(tool)?);
    api.post::<_, ()>(&path, &AcceptTool { digest: accepted.digest.clone() }).await?;
    context.output.say(&format!("the definition of {} is in force", printable_line(tool)));
    Ok(())
}

/// A name that becomes part of a path.
fn part(name: &str) -> Result<&str, Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !name.is_empty() && name.bytes().all(plain) && !name.starts_with('.') {
        return Ok(name);
    }
    Err(Failure::usage(format!("`{}` cannot be looked up here", printable_line(name)))
        .next("names have letters, digits, `_`, `-` and `.`"))
}

fn describe(tool: &ToolItem) -> String {
    let mut text = format!("in force {}\n{}\n", tool.digest, printable(&tool.definition));
    if let (Some(digest), Some(definition)) = (&tool.changed_digest, &tool.changed_definition) {
        text.extend(["\nlisted now, hidden until it is accepted: ", digest, "\n", &printable(definition), "\n"]);
    }
    text
}

fn table(context: &Context, tools: &[ToolItem]) -> Table {
    let mut table = context.output.new_table(&["tool", "state", "digest", "reviewed by"]);
    for tool in tools {
        let state = match tool.state {
            ToolState::Pinned => "pinned",
            ToolState::Reviewed => "reviewed",
            ToolState::Changed => "changed",
        };
        let digest = tool.changed_digest.as_ref().unwrap_or(&tool.digest);
        let by = tool.reviewed_by.as_deref().map_or_else(|| "-".to_owned(), printable_line);
        table.add_row([printable_line(&tool.name), state.to_owned(), digest.chars().take(16).collect(), by]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_elsewhere() {
        assert!(part("create_ticket").is_ok());
        for name in ["", "..", "a/b", "a?b", "%2e", "a b"] {
            assert!(part(name).is_err(), "{name}");
        }
    }
}
