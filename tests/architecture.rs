//! The arrows that must never exist, read from manifests and sources (ARCHITECTURE.md, "Arrows").

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates a crate of the workspace must never reach, neither in its manifest nor in its sources.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("crates/core", &["siteward-server", "siteward-admin", "axum", "askama", "tower-http"]),
    ("crates/server", &["siteward-admin", "sqlx", "askama", "rcgen"]),
    ("crates/admin", &["siteward-server", "sqlx", "rustls", "rcgen"]),
];

/// What core's values and functions must never call: time is an argument, and only the store and the vault do IO.
const IMPURE: [&str; 7] =
    ["now_utc(", "now_local(", "SystemTime::now(", "Instant::now(", "std::fs", "std::net::Tcp", "tokio::net"];

/// The parts of core that are allowed to touch the world, and what it lends to tests.
const IO_OF_CORE: [&str; 3] = ["crates/core/src/store/", "crates/core/src/vault", "crates/core/src/testing"];

#[test]
fn no_manifest_names_a_crate_it_must_not_reach() {
    assert_none(FORBIDDEN.iter().flat_map(|(folder, crates)| {
        let path = format!("{folder}/Cargo.toml");
        manifest_violations(&path, &read(&path), crates)
    }));
}

#[test]
fn no_source_names_a_crate_it_must_not_reach() {
    assert_none(FORBIDDEN.iter().flat_map(|(folder, crates)| {
        sources(folder).into_iter().flat_map(|(path, text)| source_violations(&path, &text, crates))
    }));
}

#[test]
fn core_outside_the_store_and_the_vault_has_no_clock_no_file_and_no_network() {
    let is_pure = |path: &str| !is_test(path) && !IO_OF_CORE.iter().any(|io| path.starts_with(io));
    let pure = sources("crates/core/src").into_iter().filter(|(path, _)| is_pure(path));
    assert_none(pure.flat_map(|(path, text)| purity_violations(&path, &text)));
}

#[test]
fn no_test_sleeps_or_names_a_port() {
    let tests = ["tests", "benches", "crates"].into_iter().flat_map(sources);
    assert_none(tests.flat_map(|(path, text)| test_violations(&path, &text)));
}

#[test]
fn each_rule_can_fail() {
    let manifest = "[package]\nname = \"siteward-server\"\n[dependencies]\n\
        siteward-core.workspace = true\nsqlx.workspace = true\n[target.'cfg(unix)'.dependencies]\n\
        pages = { package = \"askama\", version = \"0\" }\n[dev-dependencies.rcgen]\nworkspace = true\n";
    let found = manifest_violations("a/Cargo.toml", manifest, &["sqlx", "askama", "rcgen", "siteward-admin"]);
    assert_eq!(lines(&found), [5, 7, 8], "{found:?}");

    let source = "//! Not sqlx::query.\nuse sqlx::query;\nlet s = \"sqlx::query\"; /* rcgen:: */\nlet k = ::rcgen::X;\n\
        use {std::fmt, siteward_admin as a};\nlet mysqlx::y = 1;\nextern crate askama;\n";
    let found = source_violations("a.rs", source, &["sqlx", "askama", "rcgen", "siteward-admin"]);
    assert_eq!(lines(&found), [2, 4, 5, 7], "{found:?}");

    let source =
        "let now = OffsetDateTime::now_utc();\nuse std::fs;\n#[cfg(test)]\nmod tests { fn a() { now_utc() } }\n";
    assert_eq!(lines(&purity_violations("a.rs", source)), [1, 2]);

    // Put together here, so that this file keeps the rule it states.
    let (wait, address, tuple) =
        (["sle", "ep(d)"].concat(), ["127.0.0.1", ":8080"].concat(), ["(\"::1\"", ", 443)"].concat());
    let source = format!(
        "// {wait}\ntokio::time::{wait}.await;\nconnect(\"{address}\");\nbind({tuple});\nbind(\"127.0.0.1:0\");\n"
    );
    assert_eq!(lines(&test_violations("tests/a.rs", &source)), [2, 3, 4]);
    let unit = format!("fn serve() {{ {wait} }}\n#[cfg(test)]\nmod tests {{\n fn a() {{ {wait} }}\n}}\n");
    assert_eq!(lines(&test_violations("crates/a/src/b.rs", &unit)), [4]);
}

#[derive(Debug)]
struct Violation {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

fn assert_none(violations: impl Iterator<Item = Violation>) {
    let list: Vec<String> = violations.map(|violation| violation.to_string()).collect();
    assert!(list.is_empty(), "\n{}", list.join("\n"));
}

fn lines(violations: &[Violation]) -> Vec<usize> {
    violations.iter().map(|violation| violation.line).collect()
}

/// Dependencies of every kind and for every target, also under another name.
fn manifest_violations(path: &str, text: &str, forbidden: &[&str]) -> Vec<Violation> {
    let manifest: toml::Table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut named = BTreeMap::new();
    collect_dependencies(&manifest, &mut named);
    let line_of = |key: &str| {
        let names_it = |line: &str| {
            let line = line.trim().trim_start_matches('[').trim_end_matches(']');
            line.rsplit("dependencies.").next().is_some_and(|rest| rest.split(['.', ' ', '=']).next() == Some(key))
        };
        1 + text.lines().position(names_it).unwrap_or(0)
    };
    let mut found: Vec<Violation> = named
        .into_iter()
        .filter(|(_, package)| forbidden.iter().any(|name| is_of(package, name)))
        .map(|(key, package)| Violation {
            file: path.into(),
            line: line_of(&key),
            what: format!("depends on {package}, which it must not know"),
        })
        .collect();
    found.sort_by_key(|violation| violation.line);
    found
}

fn collect_dependencies(table: &toml::Table, named: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        if !key.ends_with("dependencies") {
            collect_dependencies(inner, named);
            continue;
        }
        for (name, how) in inner {
            let package = how.get("package").and_then(toml::Value::as_str).unwrap_or(name);
            named.insert(name.clone(), package.into());
        }
    }
}

/// `askama` stands for `askama_web` and `askama-derive` too.
fn is_of(package: &str, name: &str) -> bool {
    let package = package.replace('_', "-");
    package == name || package.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

fn source_violations(path: &str, text: &str, forbidden: &[&str]) -> Vec<Violation> {
    let code = strip(text, Strip::CommentsAndStrings);
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for name in forbidden.iter().filter(|name| names_crate(line, &name.replace('-', "_"))) {
            found.push(Violation {
                file: path.into(),
                line: number + 1,
                what: format!("names {name}, which it must not know"),
            });
        }
    }
    found
}

/// Whether `line` has `name` as the first segment of a path, or imports it whole.
fn names_crate(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let imports = line.trim_start().trim_start_matches("pub ").starts_with("use ") || line.contains("extern crate");
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let own_segment = before.strip_suffix("::").is_some_and(|path| path.ends_with(is_word));
        let whole = !before.ends_with(is_word) && !after.starts_with(|c| is_word(c) && c != '_');
        whole && !own_segment && (imports || after.starts_with("::") || after.starts_with('_'))
    })
}

fn purity_violations(path: &str, text: &str) -> Vec<Violation> {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = strip(product, Strip::CommentsAndStrings);
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for call in IMPURE.iter().filter(|call| line.contains(**call)) {
            let what = format!("`{call}` belongs to the store or the program");
            found.push(Violation { file: path.into(), line: number + 1, what });
        }
    }
    found
}

/// Whether the whole file is tests.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.starts_with("benches/")
}

/// Sleeps and ports in the tests of `path`: in the whole file where it is tests, otherwise after `#[cfg(test)]`.
fn test_violations(path: &str, text: &str) -> Vec<Violation> {
    let first = match is_test(path) {
        true => 0,
        false => text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX),
    };
    let (code, with_strings) = (strip(text, Strip::CommentsAndStrings), strip(text, Strip::Comments));
    let mut found = Vec::new();
    for (number, (code, line)) in code.lines().zip(with_strings.lines()).enumerate().skip(first) {
        let what = if code.contains(concat!("sle", "ep(")) {
            "sleeps: wait for what is meant, with a deadline"
        } else if names_port(line) {
            "names a port: take a free one"
        } else {
            continue;
        };
        found.push(Violation { file: path.into(), line: number + 1, what: what.into() });
    }
    found
}

/// Whether an address of this machine stands before a port other than 0, in a string or in a tuple, in a test that
/// opens it: addresses that are only compared or shown are no concern.
fn names_port(line: &str) -> bool {
    const HERE: [&str; 6] = ["127.0.0.1", "localhost", "0.0.0.0", "::1", "[::]", "LOCALHOST"];
    let opens = ["connect(", "bind(", "listen("].iter().any(|word| line.contains(word));
    let port_follows = |rest: &str| {
        let port = rest.trim_start_matches([']', '"', ')']);
        let port = port.strip_prefix(':').or_else(|| port.strip_prefix(", "));
        port.is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit() && c != '0'))
    };
    opens && HERE.iter().any(|host| line.match_indices(host).any(|(at, _)| port_follows(&line[at + host.len()..])))
}

#[derive(Clone, Copy, PartialEq)]
enum Strip {
    Comments,
    CommentsAndStrings,
}

/// The source with comments, and on demand the insides of strings, blanked out; lines stay where they are.
fn strip(text: &str, what: Strip) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, keep) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = string(rest).filter(|_| !out.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        {
            (length, what == Strip::Comments)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            (2 + rest[2..].find('\'').map_or(0, |end| end + 1), true)
        } else {
            (first.len_utf8(), true)
        };
        let (piece, tail) = rest.split_at(length);
        match keep {
            true => out.push_str(piece),
            false => out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = tail;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text[at..] {
            rest if rest.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            rest if rest.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            rest => at += rest.chars().next().map_or(1, char::len_utf8),
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string literal that `text` starts with, plain or raw, of characters or of bytes.
fn string(text: &str) -> Option<usize> {
    let body = text.strip_prefix('b').unwrap_or(text);
    let prefix = text.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
        return Some(prefix + 1 + hashes + 1 + length);
    }
    let inside = body.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => return Some(prefix + 1 + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(text.len())
}

/// Every Rust source below `folder`, by its path from the root of the workspace.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((from_root(&path), fs::read_to_string(&path).expect("a readable source")));
            }
        }
    }
    assert!(!found.is_empty() || folder == "benches", "{folder} has no sources");
    found.sort();
    found
}

fn from_root(path: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("a path below the root").into();
    relative.display().to_string()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}
