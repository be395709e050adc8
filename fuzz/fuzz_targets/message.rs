#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sp_sync_fuzz::wire::message(data));
