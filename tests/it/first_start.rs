//! The first page of an empty board, in a real terminal.

use std::path::Path;

use tuneboard::board::Board;

use super::tui::Session;

#[test]
fn an_empty_folder_becomes_a_board_if_one_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let mut it = Session::start(folder.path());
    it.sees("Make one? [Y/n]");
    it.press("n\r");
    it.sees("`tuneboard init` makes one");
    assert_ne!(it.ends(), 0);
    assert!(!folder.path().join("config.toml").exists());
    let mut it = Session::start(folder.path());
    it.sees("Make one? [Y/n]");
    it.press("\r");
    it.sees("Get a model");
    it.press("q");
    assert_eq!(it.ends(), 0);
    assert!(folder.path().join("config.toml").is_file());
}

#[test]
fn an_empty_board_leads_to_its_first_run_by_enter_alone() {
    let folder = tempfile::tempdir().unwrap();
    Board::init(folder.path()).unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let trainer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fake_trainer.py");
    let config = format!("[sites.local]\nslots = 1\nthreads = 1\ntrainer = {trainer:?}\n");
    write("config.toml", config.as_bytes());
    write("data/mail.csv", "text,label\nbuy now,spam\nsee you,ham\n".repeat(20).as_bytes());
    write("models/fake/config.json", br#"{"model_type":"bert"}"#);
    write("models/fake/tokenizer.json", b"{}");
    write("models/fake/model.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    let mut it = Session::start(folder.path());
    it.wait("what there is", |s| s.contains("✓ Get a model   fake") && s.contains("data/mail.csv"));
    it.press("\r");
    it.wait("the form", |s| s.contains("launch the run") && s.contains("data/mail.csv"));
    it.press("\r");
    it.sees("1 done");
    it.press("q");
    assert_eq!(it.ends(), 0);
}
