use std::fs;
use std::path::Path;

/// Removes what killed processes of ours have left half-written in a folder: files and folders whose names are
/// `before`, the number of a process that is not there, and `after`. What cannot be removed stays.
pub fn remove_left_over(folder: &Path, before: &str, after: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let Some(process) = process.and_then(|digits| digits.parse::<u32>().ok()) else { continue };
        if process == std::process::id() || Path::new(&format!("/proc/{process}")).exists() {
            continue;
        }
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let _ = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        // No process has a number that large.
        let dead = u32::MAX;
        let own = std::process::id();
        let names = [
            format!(".t.csv.{dead}.tmp"),
            format!(".t.csv.{own}.tmp"),
            format!(".other.csv.{dead}.tmp"),
            ".t.csv.x.tmp".to_owned(),
            "t.csv".to_owned(),
        ];
        for name in &names {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join(format!(".export-{dead}"))).unwrap();
        remove_left_over(folder.path(), ".t.csv.", ".tmp");
        remove_left_over(folder.path(), ".export-", "");
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut want = names[1..].to_vec();
        want.sort();
        assert_eq!(left, want);
    }
}
