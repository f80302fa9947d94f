//! Against files of real torch: tests/fixtures/pickles/make.py.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles")
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn pickled(bytes: &[u8]) -> Tensors {
    let dict = StateDict::read(bytes).unwrap();
    let all = dict.tensors().map(|(name, stored)| {
        let data = stored.data(bytes).into_owned();
        (name.to_owned(), (stored.dtype, stored.shape.clone(), data))
    });
    all.collect()
}

fn safe(bytes: &[u8]) -> Tensors {
    let all = SafeTensors::deserialize(bytes).unwrap();
    let all = all.tensors().into_iter();
    all.map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

#[test]
fn state_dicts_of_both_ages_of_torch_hold_what_torch_put_into_them() {
    let read = |name: &str| fs::read(fixtures().join(name)).unwrap();
    let want = safe(&read("odd.safetensors"));
    assert!(want.len() > 10);
    for name in ["odd.bin", "odd-legacy.bin"] {
        assert!(pickled(&read(name)) == want, "{name}");
    }
    let one = 1_f32.to_le_bytes().repeat(2);
    assert_eq!(pickled(&read("plain-dict.bin"))["a"], (Dtype::F32, vec![2], one));
    let model = fixtures().join("../families/roberta/model.safetensors");
    let want = safe(&fs::read(model).unwrap());
    for name in ["roberta.bin", "roberta-legacy.bin"] {
        assert!(pickled(&read(name)) == want, "{name}");
    }
}

#[test]
fn pickles_become_safetensors_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixtures().join("odd.bin"), folder.path().join("pytorch_model.bin")).unwrap();
    assert_eq!(Files::of(folder.path()).unwrap().format, Format::Pickle);
    assert!(to_safetensors(folder.path()).unwrap());
    let files = Files::of(folder.path()).unwrap();
    assert_eq!((files.format, files.paths.len()), (Format::Safetensors, 1));
    let want = fs::read(fixtures().join("odd.safetensors")).unwrap();
    assert!(safe(&fs::read(&files.paths[0]).unwrap()) == safe(&want));
    assert!(!folder.path().join("pytorch_model.bin").exists());
    assert!(!to_safetensors(folder.path()).unwrap());
}

#[test]
fn shards_stay_shards() {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixtures().join("sharded")).unwrap().flatten() {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let count = |folder: &Path| {
        let files = Files::of(folder).unwrap();
        assert_eq!(files.paths.len(), 2);
        files.format
    };
    assert_eq!(count(folder.path()), Format::Pickle);
    let sums = Files::of(folder.path()).unwrap().paths.iter().map(|p| sum(p).unwrap()).sum::<u64>();
    assert_eq!(sums, 2 * 2 + 2 * 4);
    assert!(to_safetensors(folder.path()).unwrap());
    assert_eq!(count(folder.path()), Format::Safetensors);
    let mut all = Tensors::new();
    for path in Files::of(folder.path()).unwrap().paths {
        all.extend(safe(&fs::read(path).unwrap()));
    }
    assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert_eq!(all["d"].1, [2, 2]);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 3, "{left:?}");
    fs::remove_file(folder.path().join("model-00002-of-00002.safetensors")).unwrap();
    let said = Files::of(folder.path()).unwrap_err().to_string();
    assert!(said.contains("model-00002-of-00002.safetensors is missing"), "{said}");
}

#[test]
fn all_else_is_refused_by_name() {
    let mut refused = 0;
    for entry in fs::read_dir(fixtures().join("refused")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let said = StateDict::read(&fs::read(entry.path()).unwrap()).unwrap_err();
        let want = match name.as_str() {
            "protocol-4" => "the operation 0x95",
            name => name.strip_suffix("-legacy").unwrap_or(name),
        };
        assert!(said.contains(want), "{name}: {said}");
        refused += 1;
    }
    assert!(refused > 8);
    for (bytes, want) in [
        (&b"version https://git-lfs.github.com/spec/v1"[..], "Git LFS"),
        (b"", "no file of torch.save"),
        (b"PK\x03\x04", "damaged or cut short"),
    ] {
        assert!(StateDict::read(bytes).unwrap_err().contains(want));
    }
}

#[test]
fn what_is_cut_short_is_refused() {
    for name in ["odd.bin", "odd-legacy.bin"] {
        let bytes = fs::read(fixtures().join(name)).unwrap();
        for length in (0..bytes.len() - 1).step_by(7) {
            assert!(StateDict::read(&bytes[..length]).is_err(), "{name}: {length}");
        }
    }
}

/// Pickles of few bytes that would make many values, were they copied, or nest them, were they nested.
#[test]
fn pickles_that_grow_do_not() {
    let mut nested = b"\x80\x02)".to_vec();
    nested.extend(vec![0x85; 1 << 20]);
    nested.extend(b".");
    let mut machine = pickle::Machine::default();
    machine.run(&nested).unwrap();
    assert_eq!(machine.lists.len(), 1 + (1 << 20));
    let mut many = b"\x80\x02ccollections\nOrderedDict\nq\x00](".to_vec();
    many.extend(b"NN\x86".repeat(20_000));
    many.extend(b"eq\x01");
    many.extend(b"h\x00h\x01\x85R".repeat(20_000));
    many.extend(b".");
    let mut machine = pickle::Machine::default();
    machine.run(&many).unwrap();
    assert_eq!(machine.dicts.iter().map(Vec::len).sum::<usize>(), 20_000);
}
