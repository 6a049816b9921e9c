//! How fast rows and COPY lines pass the detectors: clean text, and five hits a line.
//!
//! `cargo bench -p hoop-gateway-core --bench mask`; prints MB/s of input, the best of several rounds.

use std::{
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use hoop_gateway_core::{
    mask::{Detectors, MaskFunction},
    protocol::postgres::{
        codec::{data_row, scan_run, write_frame},
        message::Format,
        reframe::{ColumnRule, CopyDialect, MaskTally, RowPlan, copy_run, rows},
    },
};

const ROUNDS: u32 = 15;
const LINES: usize = 20_000;
const CLEAN: &str =
    "4711\tJane Doe\t2026-11-21 01:39:34.123456+00\t199.90\tleft the parcel with a neighbour, will call again\n";
const HITS: &str =
    "jane@example.com\t4111 1111 1111 1111\tnote to bob.builder@example.org\t5555555555554444\tcc: amy@example.net\n";

fn main() -> std::io::Result<()> {
    let mut report = Vec::new();
    for (name, line) in [("clean", CLEAN), ("five hits a line", HITS)] {
        let (table, copy) = (table(line), copy(line));
        let detect = plan(line, || ColumnRule::Detect);
        let tagged = plan(line, || ColumnRule::Mask { class: "pii".into(), function: MaskFunction::Redact });
        let mut figure = |what: &str, input: &Bytes, work: &mut dyn FnMut(&mut BytesMut)| {
            let speed = megabytes_per_second(input.len(), work);
            report.push(format!("{what:<34} {name:<18} {speed:>8.0} MB/s\n"));
        };
        figure("scan a run of rows", &table, &mut |_| {
            black_box(scan_run(&table));
        });
        figure("copy", &table, &mut |out| out.extend_from_slice(&table));
        let detectors = Detectors::builtin();
        figure("rows, detectors on every column", &table, &mut |out| {
            black_box(rows(&detect, &detectors, &table, out, &mut MaskTally::new()).is_ok());
        });
        figure("rows, every column tagged", &table, &mut |out| {
            black_box(rows(&tagged, &detectors, &table, out, &mut MaskTally::new()).is_ok());
        });
        figure("COPY lines, detectors", &copy, &mut |out| {
            black_box(copy_run(CopyDialect::Text, &detectors, &copy, out, &mut MaskTally::new()).is_ok());
        });
    }
    std::io::stdout().write_all(report.concat().as_bytes())
}

fn table(line: &str) -> Bytes {
    let mut wire = BytesMut::new();
    for _ in 0..LINES {
        let cells: Vec<&str> = line.trim_end().split('\t').collect();
        data_row(cells.iter().map(|cell| Some(cell.as_bytes())), &mut wire);
    }
    wire.freeze()
}

fn copy(line: &str) -> Bytes {
    let mut wire = BytesMut::new();
    for _ in 0..LINES {
        write_frame(b'd', &mut wire, |out| out.extend_from_slice(line.as_bytes()));
    }
    wire.freeze()
}

fn plan(line: &str, rule: impl Fn() -> ColumnRule) -> RowPlan {
    RowPlan::new(line.split('\t').map(|_| (rule(), 25, Format::Text)))
}

fn megabytes_per_second(bytes: usize, work: &mut dyn FnMut(&mut BytesMut)) -> f64 {
    let mut best = Duration::MAX;
    let mut out = BytesMut::with_capacity(bytes * 2);
    for _ in 0..ROUNDS {
        out.clear();
        let start = Instant::now();
        work(&mut out);
        best = best.min(start.elapsed());
        black_box(&out);
    }
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / best.as_secs_f64() / 1e6
}
