//! Arguments of `can`.

use clap::{Args, builder::FalseyValueParser};
use hoop_gateway_core::model::ConnectionName;

/// Ask what would become of an operation, without running it.
#[derive(Debug, Args)]
#[command(
    long_about = "Ask what would become of an operation, without running it.\n\n\
                  Says whether it would run, wait for approval or be refused; by which rule; who would approve; what \
                  would be masked. Decided as a fresh session of yours would decide it. That you asked is recorded; \
                  nobody is asked to approve anything.",
    after_help = "Examples:\n  hoop can pg-prod 'delete from orders where id = 7'\n  \
                  hoop can pg-prod --estimate 'select * from customers'\n  hoop can pg-prod - < migration.sql\n\n\
                  Exit status:\n    0  it would run\n    2  it is not a statement\n    3  it would be refused\n    \
                  8  it would wait for approval"
)]
pub(crate) struct CanArguments {
    /// The connection
    #[arg(value_name = "NAME")]
    pub(crate) connection: ConnectionName,
    /// The statement, or several; `-` reads them from standard input
    #[arg(value_name = "OPERATION")]
    pub(crate) operation: String,
    /// Also ask the planner how many rows it would touch, where asking runs nothing
    #[arg(long, env = "HOOP_CAN_ESTIMATE", value_parser = FalseyValueParser::new())]
    pub(crate) estimate: bool,
}
