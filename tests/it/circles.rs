//! No circle of modules below `src/` (docs/architecture.md): what stands side by side in a folder can be
//! put in an order in which each module names earlier ones only. A module and the folder of its parts
//! count as one; between a module and its own parts anything goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::source::{code, files};

/// A module as the names that lead to it from `src/`.
type Module = Vec<String>;

/// The source of every module that is not for tests alone, without comments and without the tests at its
/// end.
fn modules() -> BTreeMap<Module, String> {
    let files = files("src");
    let named = |(path, text): (&PathBuf, &String)| (module(path), code(text));
    let mut modules: BTreeMap<Module, String> = files.iter().map(named).collect();
    let for_tests: Vec<Module> = modules.iter().flat_map(|(at, code)| tests_of(at, code)).collect();
    modules.retain(|module, _| !for_tests.iter().any(|tests| module.starts_with(tests)));
    modules
}

/// The parts of a module that only tests have: `#[cfg(test)]` stands above their names.
fn tests_of(module: &Module, code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for part in code.split("#[cfg(test)]").skip(1) {
        let declared = part.trim_start().trim_start_matches("pub ").strip_prefix("mod ");
        if let Some((name, _)) = declared.and_then(|rest| rest.split_once(';')) {
            found.push([&module[..], &[name.to_owned()]].concat());
        }
    }
    found
}

/// `tui/act.rs` and `tui/act/mod.rs` -> tui, act. The roots of the crates are `src/` and `src/train/`.
fn module(path: &Path) -> Module {
    let mut names: Module =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    names
}

/// Every path of a `use` declaration, and the name that it brings in.
fn uses(code: &str) -> Vec<(Module, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let starts_word = rest[..at].chars().last().is_none_or(|c| c.is_whitespace() || c == '}');
        rest = &rest[at + 4..];
        if starts_word && let Some(end) = rest.find(';') {
            expand(&[], &rest[..end], &mut found);
        }
    }
    found
}

/// The paths of `a::{b, c::d as e}`.
fn expand(before: &[String], tree: &str, found: &mut Vec<(Module, String)>) {
    let tree = tree.trim();
    let (path, list) = match tree.split_once('{') {
        Some((path, list)) => (path, list.strip_suffix('}')),
        None => (tree, None),
    };
    let (path, alias) = path.split_once(" as ").unwrap_or((path, ""));
    let parts = path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
    let mut whole: Module = before.iter().cloned().chain(parts).collect();
    let Some(list) = list else {
        if whole.last().is_some_and(|last| last == "self") {
            whole.pop();
        }
        let alias = Some(alias.trim().to_owned()).filter(|alias| !alias.is_empty());
        let name = alias.or_else(|| whole.last().cloned()).unwrap_or_default();
        found.push((whole, name));
        return;
    };
    let mut depth = 0;
    for part in list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    }) {
        if !part.trim().is_empty() {
            expand(&whole, part, found);
        }
    }
}

/// Every path in the code that begins with `crate`, `super` or `self`.
fn paths(code: &str) -> Vec<Module> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|c| is_word(c) || c == ':') {
                continue;
            }
            let end = code[at..].find(|c| !is_word(c) && c != ':');
            let path = &code[at..end.map_or(code.len(), |end| at + end)];
            let parts = path.split("::").filter(|part| !part.is_empty());
            found.push(parts.map(str::to_owned).collect());
        }
    }
    found
}

/// The modules, and for each what names it brings in from where.
struct House {
    modules: BTreeMap<Module, String>,
    brought: BTreeMap<Module, Vec<(Module, String)>>,
}

impl House {
    fn read() -> Self {
        let modules = modules();
        let brought = modules.iter().map(|(module, code)| (module.clone(), uses(code))).collect();
        Self { modules, brought }
    }

    /// The module that a path leads to from `from`: its longest part that is one, and from there on what
    /// that module brings in under the next name.
    fn target(&self, from: &Module, path: &[String], depth: u32) -> Option<Module> {
        let mut rest = path.iter();
        let mut at: Module = Vec::new();
        match rest.next()?.as_str() {
            "crate" if from.first().is_some_and(|first| first == "train") => {
                at.push("train".to_owned());
            }
            "crate" => {}
            "self" => at.clone_from(from),
            "super" => at = from[..from.len().checked_sub(1)?].to_vec(),
            name => {
                at = [&from[..], &[name.to_owned()]].concat();
                self.modules.contains_key(&at).then_some(())?;
            }
        }
        for name in rest {
            if name == "super" {
                at.pop();
                continue;
            }
            let next = [&at[..], std::slice::from_ref(name)].concat();
            if self.modules.contains_key(&next) {
                at = next;
                continue;
            }
            let brought = self.brought.get(&at)?.iter().find(|(_, brought)| brought == name);
            if let Some((path, _)) = brought.filter(|_| depth < 5) {
                return self.target(&at, path, depth + 1).or(Some(at));
            }
            break;
        }
        Some(at)
    }

    /// For each folder: which of its modules names which other.
    fn edges(&self) -> BTreeMap<Module, BTreeSet<(String, String)>> {
        let mut edges: BTreeMap<Module, BTreeSet<(String, String)>> = BTreeMap::new();
        for (from, code) in &self.modules {
            let used = self.brought[from].iter().map(|(path, _)| path.clone());
            for path in used.chain(paths(code)) {
                let Some(to) = self.target(from, &path, 0) else { continue };
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                // Whole top modules have a table of their own, in house.rs.
                if let (Some(a), Some(b)) = (from.get(common), to.get(common))
                    && common > 0
                {
                    let folder = from[..common].to_vec();
                    edges.entry(folder).or_default().insert((a.clone(), b.clone()));
                }
            }
        }
        edges
    }
}

/// The names that can be reached from themselves.
fn in_circles(edges: &BTreeSet<(String, String)>) -> BTreeSet<String> {
    let mut reached = edges.clone();
    loop {
        let longer: BTreeSet<(String, String)> = reached
            .iter()
            .flat_map(|(a, b)| {
                let on = edges.iter().filter(move |(from, _)| from == b);
                on.map(move |(_, c)| (a.clone(), c.clone()))
            })
            .filter(|pair| !reached.contains(pair))
            .collect();
        if longer.is_empty() {
            break;
        }
        reached.extend(longer);
    }
    reached.into_iter().filter(|(a, b)| a == b).map(|(a, _)| a).collect()
}

#[test]
fn paths_are_found_in_every_form() {
    let names = |path: &str| -> Module { path.split("::").map(str::to_owned).collect() };
    let code = "pub use a::{b, c::{d as e, self}};\nfn f() { super::g::h(); crate::i::J }";
    let want = [("a::b", "b"), ("a::c::d", "e"), ("a::c", "c")];
    assert_eq!(uses(code), want.map(|(path, name)| (names(path), name.to_owned())));
    assert_eq!(paths(code), [names("crate::i::J"), names("super::g::h")]);
    let edges = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")];
    let edges = edges.map(|(a, b)| (a.to_owned(), b.to_owned())).into_iter().collect();
    assert_eq!(in_circles(&edges), ["b", "c"].map(str::to_owned).into_iter().collect());
    assert_eq!(module(&PathBuf::from("tui/act/mod.rs")), names("tui::act"));
}

#[test]
fn modules_form_no_circles() {
    let house = House::read();
    let edges = house.edges();
    let all = |name: &str| edges.get(&vec![name.to_owned()]).map_or(0, BTreeSet::len);
    assert!(all("store") > 10 && all("train") > 10, "names were found");
    let told = |(folder, edges): (&Module, &BTreeSet<(String, String)>)| {
        let circle = in_circles(edges);
        let inside = edges.iter().filter(|(a, b)| circle.contains(a) && circle.contains(b));
        let arrows: Vec<String> = inside.map(|(a, b)| format!("{a} -> {b}")).collect();
        (!arrows.is_empty()).then(|| format!("src/{}: {arrows:?}", folder.join("/")))
    };
    let found: Vec<String> = edges.iter().filter_map(told).collect();
    assert!(found.is_empty(), "circles: {found:#?}");
}
