//! The `ssh_terminal` target; what it checks is in `hoop_gateway_core::fuzz_targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hoop_gateway_core::fuzz_targets::run("ssh_terminal", input));
