//! Files of a site: what is served, how, and what never is.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use siteward_core::binding::Protocol;
use siteward_core::ssl::RequireSsl;
use siteward_core::store::{Folder, NewSite};
use siteward_core::testing::tester;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Reply, World, clear, free_port, get, local, place};

struct Shop {
    world: World,
    port: u16,
    folder: PathBuf,
}

impl Shop {
    async fn open() -> Self {
        let world = World::start().await;
        let port = free_port();
        let site = world.site("Bookshop", "shop.example", port).await;
        let folder = world.folder(site);
        Self { world, port, folder }
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    async fn get(&self, target: &str) -> Reply {
        clear(self.port, get("shop.example", target)).await
    }

    /// Asks until the answer is what it should be: a change on disk is seen within a moment, not at once.
    async fn get_until(&self, target: &str, expected: impl Fn(&Reply) -> bool) -> Reply {
        let asking = async {
            loop {
                let reply = self.get(target).await;
                if expected(&reply) {
                    return reply;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(1), asking).await.expect("within a second")
    }

    async fn get_with(&self, target: &str, fields: &str) -> Reply {
        let head = format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n");
        clear(self.port, head).await
    }
}

#[tokio::test]
async fn a_file_is_served_with_its_type_length_and_validators() {
    let shop = Shop::open().await;
    shop.write("style.css", "body {}");
    shop.write("a b/ü.txt", "umlaut");
    let reply = shop.get("/style.css?v=1").await;
    assert_eq!((reply.status, reply.text()), (200, "body {}"));
    assert_eq!(reply.field("content-type"), Some("text/css"));
    assert_eq!(reply.field("content-length"), Some("7"));
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.field("server"), None);
    assert!(reply.field("etag").is_some_and(|tag| tag.starts_with('"')), "strong");
    assert!(reply.field("last-modified").is_some());
    assert_eq!(shop.get("/a%20b/%C3%BC.txt").await.text(), "umlaut");
}

#[tokio::test]
async fn head_tells_what_get_would_without_the_body() {
    let shop = Shop::open().await;
    let full = shop.get("/").await;
    let head = clear(shop.port, "HEAD / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for field in ["content-length", "content-type", "etag", "last-modified"] {
        assert_eq!(head.field(field), full.field(field), "{field}");
    }
}

#[tokio::test]
async fn a_folder_answers_with_its_first_default_document() {
    let shop = Shop::open().await;
    for name in ["default.html", "default.htm", "index.htm", "index.html"] {
        shop.write(&format!("books/{name}"), name);
        shop.get_until("/books/", |reply| reply.text() == name).await;
    }
    std::fs::create_dir(shop.folder.join("empty")).unwrap();
    let reply = shop.get("/empty/").await;
    assert_eq!(reply.status, 404, "no listing");
}

#[tokio::test]
async fn a_folder_without_its_slash_is_redirected_within_the_site() {
    let shop = Shop::open().await;
    shop.write("a b/c:d/index.html", "");
    for (target, location) in [("/a%20b?x=/y", "/a%20b/?x=/y"), ("//a%20b//c:d", "/a%20b/c%3Ad/")] {
        let reply = shop.get(target).await;
        assert_eq!((reply.status, reply.field("location")), (301, Some(location)));
    }
    assert_eq!(shop.get("/index.html/").await.status, 404, "a file is no folder");
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again_and_a_changed_one_is() {
    let shop = Shop::open().await;
    let first = shop.get("/").await;
    let tag = first.field("etag").unwrap();
    let since = first.field("last-modified").unwrap();
    for field in [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {since}\r\n")] {
        let reply = shop.get_with("/", &field).await;
        assert_eq!((reply.status, reply.body.len(), reply.field("etag")), (304, 0, Some(tag)));
    }
    shop.write("index.html", "changed and longer");
    shop.get_until("/", |reply| reply.text() == "changed and longer").await;
    let reply = shop.get_with("/", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((reply.status, reply.text()), (200, "changed and longer"));
    assert_eq!(shop.get_with("/", &format!("If-Match: {tag}\r\n")).await.status, 412);
}

#[tokio::test]
async fn parts_of_small_and_large_files_are_served() {
    let shop = Shop::open().await;
    let large: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    shop.write("small.txt", "0123456789");
    shop.write("large.bin", &large);
    let reply = shop.get_with("/small.txt", "Range: bytes=2-4\r\n").await;
    assert_eq!((reply.status, reply.text()), (206, "234"));
    assert_eq!(reply.field("content-range"), Some("bytes 2-4/10"));
    let reply = shop.get_with("/large.bin", "Range: bytes=3999990-\r\n").await;
    assert_eq!((reply.status, reply.body.as_slice()), (206, &large[3_999_990..]));
    assert!(shop.get("/large.bin").await.body == large);
    assert_eq!(shop.get_with("/small.txt", "Range: bytes=10-\r\n").await.status, 416);
    let several = shop.get_with("/small.txt", "Range: bytes=0-1,4-5\r\n").await;
    assert_eq!((several.status, several.text()), (200, "0123456789"), "several parts at once may be ignored");
}

#[tokio::test]
async fn a_part_is_only_sent_of_the_version_the_client_has() {
    let shop = Shop::open().await;
    for path in ["small.txt", "large.txt"] {
        let content = "0123456789".repeat(if path == "small.txt" { 1 } else { 20_000 });
        shop.write(path, &content);
        let tag = shop.get(&format!("/{path}")).await.field("etag").unwrap().to_owned();
        let part = |tag: &str| format!("Range: bytes=2-4\r\nIf-Range: {tag}\r\n");
        assert_eq!(shop.get_with(&format!("/{path}"), &part(&tag)).await.text(), "234");
        for outdated in ["\"other\"", "W/\"other\"", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            let reply = shop.get_with(&format!("/{path}"), &part(outdated)).await;
            assert!(reply.status == 200 && reply.text() == content, "{path} {outdated}");
        }
    }
}

#[tokio::test]
async fn a_client_that_ends_its_side_after_asking_still_gets_the_whole_answer() {
    let shop = Shop::open().await;
    shop.write("large.bin", vec![b'x'; 10_000_000]);
    let mut stream = TcpStream::connect(local(shop.port)).await.unwrap();
    stream.write_all(get("shop.example", "/large.bin").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.body.len(), 10_000_000);
}

#[tokio::test]
async fn names_with_a_leading_dot_are_not_served_but_well_known_ones_are() {
    let shop = Shop::open().await;
    shop.write(".env", "SECRET=1");
    shop.write(".git/config", "secret");
    shop.write("a/.htpasswd", "secret");
    shop.write(".well-known/pki-validation/file.txt", "proof");
    for target in ["/.env", "/%2Eenv", "/.git/config", "/.git", "/.git/", "/a/.htpasswd", "/.well-known/../.env"] {
        assert!(matches!(shop.get(target).await.status, 400 | 404), "{target}");
    }
    assert_eq!(shop.get("/.well-known/pki-validation/file.txt").await.text(), "proof");
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let shop = Shop::open().await;
    let outside = shop.folder.parent().unwrap().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.txt"), "outside").unwrap();
    shop.write("a/page.txt", "inside");
    symlink("page.txt", shop.folder.join("a/within.txt")).unwrap();
    symlink(outside.join("secret.txt"), shop.folder.join("absolute.txt")).unwrap();
    symlink("../outside/secret.txt", shop.folder.join("relative.txt")).unwrap();
    symlink(&outside, shop.folder.join("folder")).unwrap();
    symlink("/", shop.folder.join("root")).unwrap();
    symlink("loop", shop.folder.join("loop")).unwrap();

    assert_eq!(shop.get("/a/within.txt").await.text(), "inside", "a link that stays below the folder is followed");
    for target in [
        "/../outside/secret.txt",
        "/a/../../outside/secret.txt",
        "/%2e%2e/outside/secret.txt",
        "/..%2foutside/secret.txt",
        "/%2e%2e%2foutside%2fsecret.txt",
        "/..%5coutside%5csecret.txt",
        "/..\\outside\\secret.txt",
        "/a/page.txt%00.html",
        "/%00",
        "/%c0%ae%c0%ae/outside/secret.txt",
        "/a/page.txt/",
        "/a/page.txt/..",
        "/absolute.txt",
        "/relative.txt",
        "/folder/secret.txt",
        "/folder/",
        "/root/etc/passwd",
        "/loop",
        "/C:/outside/secret.txt",
        "/a/page.txt::$DATA",
        "/a/page.txt.",
        "/a/page.txt%20",
        "/%252e%252e/outside/secret.txt",
        "//etc/passwd",
        "/./../outside/secret.txt",
        "/file:%2f%2f/etc/passwd",
        "/~root/",
        "/a%0d%0ab",
    ] {
        let reply = shop.get(target).await;
        assert!(matches!(reply.status, 400 | 404), "{target}: {}", reply.status);
        assert!(!reply.text().contains("side"), "{target}");
    }
    let long = shop.get(&format!("/{}", "a".repeat(5_000))).await;
    assert_eq!(long.status, 404);
}

#[tokio::test]
async fn a_folder_that_became_a_link_to_siteward_s_own_data_serves_none_of_it() {
    let shop = Shop::open().await;
    let data = shop.world.store.data_dir();
    for target in [data.to_path_buf(), data.join("sites"), PathBuf::from("/")] {
        let _ = std::fs::remove_dir_all(&shop.folder).or_else(|_| std::fs::remove_file(&shop.folder));
        symlink(&target, &shop.folder).unwrap();
        for path in ["/master.key", "/siteward.db", "/sites/maps/index.html", "/etc/passwd", "/"] {
            shop.get_until(path, |reply| reply.status == 500).await;
        }
    }
    std::fs::remove_file(&shop.folder).unwrap();
    shop.write("index.html", "a folder again");
    assert_eq!(shop.get("/").await.text(), "a folder again");
}

#[tokio::test]
async fn a_data_directory_that_was_moved_below_a_served_folder_stays_closed_but_for_its_sites() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().canonicalize().unwrap();
    std::fs::write(folder.join("index.html"), "served").unwrap();
    let world = World::start().await;
    let port = free_port();
    let new = NewSite {
        name: "Bookshop".into(),
        folder: Folder::At(folder.to_str().unwrap().to_owned()),
        bindings: vec![place(Protocol::Http, port, "")],
        require_ssl: RequireSsl::Off,
    };
    world.store.create_site(new, &tester()).await.unwrap();
    world.taken_up().await;

    let moved = folder.join("data");
    std::fs::rename(world.store.data_dir(), &moved).unwrap();
    symlink("data/master.key", folder.join("link.txt")).unwrap();
    symlink("data", folder.join("folder")).unwrap();
    std::fs::create_dir_all(moved.join("sites/maps")).unwrap();
    std::fs::create_dir(moved.join("backup")).unwrap();
    for path in ["data/sites/maps/page.txt", "data/sites/page.txt", "data/backup/page.txt"] {
        std::fs::write(folder.join(path), "page").unwrap();
    }
    for target in [
        "/data/master.key",
        "/link.txt",
        "/folder/master.key",
        "/data/",
        "/data/sites/page.txt",
        "/data/backup/page.txt",
        "/folder/backup/page.txt",
    ] {
        let reply = clear(port, get("any.example", target)).await;
        assert!(matches!(reply.status, 404 | 500), "{target}: {}", reply.status);
    }
    assert_eq!(clear(port, get("any.example", "/data/sites/maps/page.txt")).await.text(), "page");
    assert_eq!(clear(port, get("any.example", "/")).await.text(), "served");
    std::fs::rename(&moved, world.store.data_dir()).unwrap();
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_served_and_holds_nobody_up() {
    let shop = Shop::open().await;
    let made = std::process::Command::new("mkfifo").arg(shop.folder.join("pipe")).status().unwrap();
    assert!(made.success());
    std::os::unix::net::UnixListener::bind(shop.folder.join("socket")).unwrap();
    for target in ["/pipe", "/socket"] {
        assert!(matches!(shop.get(target).await.status, 404 | 500), "{target}");
    }
}

#[tokio::test]
async fn a_folder_that_vanished_harms_its_own_site_only_and_is_served_again_when_it_is_back() {
    let shop = Shop::open().await;
    let other = shop.world.site("Maps", "maps.example", shop.port).await;
    std::fs::remove_dir_all(&shop.folder).unwrap();
    let reply = shop.get_until("/", |reply| reply.status == 500).await;
    assert!(!reply.text().contains(shop.folder.to_str().unwrap()));
    assert_eq!(clear(shop.port, get("maps.example", "/")).await.text(), "content of Maps");
    assert!(shop.world.folder(other).exists());
    shop.write("index.html", "back again");
    assert_eq!(shop.get("/").await.text(), "back again");
}

#[tokio::test]
async fn a_file_that_is_cut_short_while_it_is_sent_ends_the_connection_instead_of_filling_it_up() {
    let shop = Shop::open().await;
    let path = shop.folder.join("growing.bin");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&vec![b'x'; 40_000_000]).unwrap();
    let mut stream = TcpStream::connect(local(shop.port)).await.unwrap();
    stream.write_all(get("shop.example", "/growing.bin").as_bytes()).await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    file.set_len(1).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 40_000_000, "{}", rest.len());
}
