//! `tuneboard-train tokenize` and `forward` against transformers.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::{Desk, fixtures};

#[test]
fn tokenize_gives_transformers_ids() {
    let desk = Desk::new();
    let expected = fixtures().join("expected");
    let json = fs::read_to_string(expected.join("tiny-bert_outputs.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let bytes = fs::read(expected.join("tiny-bert_outputs.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let want: Vec<i64> = tensors
        .tensor("from_text.input_ids")
        .unwrap()
        .data()
        .chunks_exact(8)
        .map(|b| i64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let texts = json["from_text"]["texts"].as_array().unwrap();
    let lines: String = texts.iter().map(|t| json!({"text": t}).to_string() + "\n").collect();
    let got =
        pipe(desk.command(&["tokenize", "tiny", "--max-length", "24", "--pad-to", "24"]), &lines);
    let rows: Vec<Value> = got.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let got: Vec<i64> = rows
        .iter()
        .flat_map(|r| r["ids"].as_array().unwrap())
        .map(|id| id.as_i64().unwrap())
        .collect();
    assert_eq!(got, want);
    assert_eq!(rows[0]["tokens"][0], json!("[CLS]"));

    let bare = pipe(desk.command(&["tokenize", "tiny", "--no-specials"]), "{\"text\":\"call\"}\n");
    let bare: Value = serde_json::from_str(bare.trim()).unwrap();
    assert_eq!(bare["tokens"], json!(["call"]));
    assert_eq!(pipe(desk.command(&["lengths", "tiny"]), "{\"text\":\"call\"}\n"), "3\n");
}

fn pipe(mut command: Command, input: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the trainer starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn forward_gives_transformers_outputs() {
    let desk = Desk::new();
    let model = fixtures().join("models/tiny-bert-seqcls");
    let bytes = fs::read(fixtures().join("expected/tiny-bert_outputs.safetensors")).unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    for case in ["right_pad", "full_length_two_segments", "no_mask_given", "holes_in_mask"] {
        let inputs = ["input_ids", "attention_mask", "token_type_ids"]
            .into_iter()
            .filter_map(|name| Some((name, all.tensor(&format!("{case}.{name}")).ok()?)));
        fs::write(desk.path("in"), safetensors::serialize(inputs, None).unwrap()).unwrap();
        let args = ["forward", model.to_str().unwrap(), "--input", "in", "--output", "out"];
        let output = desk.command(&args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let got = fs::read(desk.path("out")).unwrap();
        let got = SafeTensors::deserialize(&got).unwrap();
        let logits = floats(got.tensor("logits").unwrap().data());
        let want = floats(all.tensor(&format!("{case}.seqcls_logits")).unwrap().data());
        assert_eq!(logits.len(), want.len());
        assert!(logits.iter().zip(&want).all(|(a, b)| (a - b).abs() < 2e-5), "{case}");
        assert!(got.tensor("last_hidden_state").is_ok() && got.tensor("pooler_output").is_ok());
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}
