//! Which file of a crate uses which, read from their paths, and the circles among them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Each file with those that it uses.
pub(crate) type Uses = BTreeMap<String, BTreeSet<String>>;

/// The circles: the files that reach each other, each with those of its circle that it uses.
pub(crate) fn circles(uses: &Uses) -> Vec<Uses> {
    let reached: Uses = (uses.keys())
        .map(|file| (file.clone(), reached(uses, file)))
        .collect();
    let mut found: Vec<Uses> = Vec::new();
    for (file, reach) in reached.iter().filter(|(file, reach)| reach.contains(*file)) {
        if found.iter().any(|circle| circle.contains_key(file)) {
            continue;
        }
        let members: BTreeSet<String> = (reach.iter())
            .filter(|other| reached[*other].contains(file))
            .cloned()
            .collect();
        let circle = members
            .iter()
            .map(|one| (one.clone(), &uses[one] & &members));
        found.push(circle.collect());
    }
    found
}

/// What a file uses, and what that uses, and so on.
fn reached(uses: &Uses, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&String> = uses[from].iter().collect();
    while let Some(file) = next.pop() {
        if found.insert(file.clone()) {
            next.extend(&uses[file]);
        }
    }
    found
}

/// Which file uses which below `src`, by names inside it, without tests.
pub(crate) fn uses_in(src: &Path) -> Uses {
    let root = ["lib.rs", "main.rs"].map(|name| src.join(name));
    let root = root.iter().find(|file| file.exists()).unwrap();
    let mut modules = Modules::default();
    modules.read(src, root, Vec::new());
    let file = |path: &[String]| modules.0[path].file.clone();
    let used = |path: &[String]| {
        let names = modules.0[path].names();
        let places = names.iter().filter_map(|name| modules.place(path, name));
        places
            .filter(|place| place != path)
            .map(|place| file(&place))
            .collect()
    };
    modules
        .0
        .keys()
        .map(|path| (file(path), used(path)))
        .collect()
}

/// The modules of a crate by their paths; that of the root is empty.
#[derive(Default)]
struct Modules(BTreeMap<Vec<String>, Module>);

struct Module {
    file: String,
    imports: Vec<Import>,
    /// The text without comments, tests and imports.
    body: String,
}

/// One name of a `use`.
struct Import {
    name: String,
    path: Vec<String>,
    is_private: bool,
}

impl Modules {
    /// Reads a file and those of the modules that it declares.
    fn read(&mut self, src: &Path, file: &Path, path: Vec<String>) {
        let code = without_tests(&fs::read_to_string(file).unwrap());
        let (imports, body) = imports(&code);
        for line in body.lines() {
            let Some((before, name)) = line.trim_end_matches(';').split_once("mod ") else {
                continue;
            };
            if !["", "pub ", "pub(crate) ", "pub(super) "].contains(&before) {
                continue;
            }
            let path = [&path[..], &[name.to_owned()]].concat();
            let folder = src.join(path.join("/"));
            let files = [folder.with_extension("rs"), folder.join("mod.rs")];
            if let Some(file) = files.iter().find(|file| file.exists()) {
                self.read(src, file, path);
            }
        }
        let file = file.strip_prefix(src).unwrap();
        let file = file.to_string_lossy().into_owned();
        let module = Module {
            file,
            imports,
            body,
        };
        self.0.insert(path, module);
    }

    /// The module that defines what a path in the module `from` names, if it is of this crate. A
    /// name that a module imports is looked up where it comes from.
    fn place(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let (mut at, mut rest, mut is_ours) = (from.to_vec(), path, false);
        while let Some((step, after)) = rest.split_first() {
            match step.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => _ = at.pop()?,
                _ => break,
            }
            (rest, is_ours) = (after, true);
        }
        while let Some((step, after)) = rest.split_first() {
            let inner = [&at[..], std::slice::from_ref(step)].concat();
            if self.0.contains_key(&inner) {
                (at, rest, is_ours) = (inner, after, true);
                continue;
            }
            let mut imports = self.0[&at].imports.iter();
            // `use toml;` names itself.
            let import = imports.find(|one| one.name == *step && one.path.len() > 1);
            return match import {
                Some(import) => self.place(&at, &[&import.path, after].concat()),
                None => is_ours.then_some(at),
            };
        }
        Some(at)
    }
}

impl Module {
    /// The paths that it uses. What it only passes on to others it does not use itself.
    fn names(&self) -> Vec<Vec<String>> {
        let words: BTreeSet<&str> = self.body.split(|letter| !is_word(letter)).collect();
        let used = |import: &&Import| import.is_private || words.contains(import.name.as_str());
        let imported = self.imports.iter().filter(used).map(|one| one.path.clone());
        let texts = self.body.split(|letter| !is_word(letter) && letter != ':');
        let written = texts.filter(|text| text.contains("::")).map(steps);
        imported.chain(written).collect()
    }
}

/// `crate::a::B` as its steps.
fn steps(path: &str) -> Vec<String> {
    let steps = path.split("::").map(str::trim);
    let steps = steps.filter(|step| !step.is_empty());
    steps.map(str::to_owned).collect()
}

/// A text without comments and without what stands under `#[cfg(test)]` at the left margin.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut is_test = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim_end();
        is_test |= line == "#[cfg(test)]";
        if !is_test {
            code.push_str(line);
            code.push('\n');
        }
        // The end of an item.
        if line == "}" || (line.ends_with(';') && !line.starts_with(' ')) {
            is_test = false;
        }
    }
    code
}

/// The imports of a text, and the rest of it.
fn imports(code: &str) -> (Vec<Import>, String) {
    let (mut imports, mut body) = (Vec::new(), String::new());
    let mut statement: Option<(bool, String)> = None;
    for line in code.lines() {
        let start = match line.trim_start().split_once("use ") {
            // A line of a message may begin with the word, too.
            Some((_, words)) if !begins_path(words) => None,
            Some(("", tree)) => Some((true, tree)),
            Some((before, tree)) if before.starts_with("pub") => Some((false, tree)),
            _ => None,
        };
        match (&mut statement, start) {
            (Some((_, tree)), _) => tree.push_str(line),
            (None, Some((is_private, tree))) => statement = Some((is_private, tree.to_owned())),
            (None, None) => {
                body.push_str(line);
                body.push('\n');
            }
        }
        if let Some((is_private, tree)) = statement.take_if(|(_, tree)| tree.ends_with(';')) {
            for leaf in leaves(tree.trim_end_matches(';')) {
                let (path, name) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
                let path = steps(path.strip_suffix("::self").unwrap_or(path));
                let name = match (name, path.last()) {
                    ("", Some(last)) => last.clone(),
                    _ => name.to_owned(),
                };
                imports.push(Import {
                    name,
                    path,
                    is_private,
                });
            }
        }
    }
    (imports, body)
}

fn begins_path(text: &str) -> bool {
    let (first, _) = (text.split_once("::").or(text.split_once(';'))).unwrap_or((" ", ""));
    first.chars().all(is_word)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let group = group.strip_suffix('}').unwrap();
    let mut depth = 0;
    let branches = group.split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    let branches = branches.filter(|branch| !branch.trim().is_empty());
    let inner = branches.flat_map(leaves);
    inner.map(|leaf| format!("{head}{leaf}")).collect()
}

fn made_up(lines: &[(&str, &[&str])]) -> Uses {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let lines = lines.iter();
    lines
        .map(|(file, used)| ((*file).to_owned(), owned(used)))
        .collect()
}

#[test]
fn circles_are_found_and_nothing_else() {
    let none = made_up(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert_eq!(circles(&none), Vec::new());
    // `way` leads from one circle to the other and is in neither.
    let two = made_up(&[
        ("a", &["b"]),
        ("b", &["c", "way"]),
        ("c", &["a", "b"]),
        ("way", &["x"]),
        ("x", &["y", "leaf"]),
        ("y", &["x"]),
        ("leaf", &[]),
    ]);
    let first = made_up(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "b"])]);
    let second = made_up(&[("x", &["y"]), ("y", &["x"])]);
    assert_eq!(circles(&two), [first, second]);
}

#[test]
fn uses_are_read_from_every_way_to_write_a_path() {
    let src = std::env::temp_dir().join(format!("miras-circles-{}", std::process::id()));
    fs::create_dir_all(src.join("inner")).unwrap();
    for (file, text) in [
        (
            "lib.rs",
            "mod a;\nmod b;\nmod c;\nmod inner;\npub use b::B;\n",
        ),
        (
            "a.rs",
            "use crate::{\n    B, // Defined in b.\n    inner::{self, Deep as D},\n};\n",
        ),
        (
            "b.rs",
            "fn b() { crate::c::c(); inner::nothing() }\n#[cfg(test)]\nuse crate::a::A;\n",
        ),
        (
            "c.rs",
            "// crate::a\nuse std::fs;\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
        ),
        (
            "inner/mod.rs",
            "mod deep;\nmod flat;\npub(crate) use deep::Deep;\nconst N: u8 = 1;\n",
        ),
        (
            "inner/deep.rs",
            "use super::flat;\nfn deep() { flat::f(super::N) }\n",
        ),
        (
            "inner/flat.rs",
            "pub(super) fn f() { super::super::c::c() }\n",
        ),
    ] {
        fs::write(src.join(file), text).unwrap();
    }
    let found = uses_in(&src);
    fs::remove_dir_all(&src).unwrap();
    let expected = made_up(&[
        ("lib.rs", &[]),
        ("a.rs", &["b.rs", "inner/mod.rs", "inner/deep.rs"]),
        ("b.rs", &["c.rs"]),
        ("c.rs", &[]),
        ("inner/mod.rs", &[]),
        ("inner/deep.rs", &["inner/flat.rs", "inner/mod.rs"]),
        ("inner/flat.rs", &["c.rs"]),
    ]);
    assert_eq!(found, expected);
}
