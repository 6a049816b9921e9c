//! Keeps the committed inputs of the fuzz target real: one is a whole log that this version wrote.

use super::*;
use crate::record::{log::segment_path, read::fuzz};

#[test]
fn the_fuzz_target_takes_a_real_log_and_the_corpus_holds_one() {
    let place = Place::new();
    let (recorder, _) = place.open(Durability::Relaxed);
    let mut session = recorder.session(facts(1)).expect("starts");
    let number = refuse(&mut session, "drop table \u{1b}[2Jorders");
    complete(&mut session, number);
    session.end("done").expect("ends");
    recorder.close().expect("closes");
    let log = std::fs::read(segment_path(&place.log(), 1)).expect("there");
    fuzz(&log[..log.len() / 2]);
    if let Some(folder) = std::env::var_os("HOOP_WRITE_CORPUS") {
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("small_log"), &log).expect("written");
        std::fs::write(folder.join("torn"), &log[..log.len() - 40]).expect("written");
        std::fs::write(folder.join("zeros"), [0; 64]).expect("written");
        std::fs::write(folder.join("long"), [0xff; 64]).expect("written");
    }
}
