//! What CAs find in clear on a site that refuses plain HTTP.

use siteward_core::exemption::ExemptionDraft;
use siteward_core::ledger::Author;
use siteward_core::ssl::RequireSsl;
use siteward_core::testing::tester;
use time::Duration;

use crate::world::{World, clear, exchange, free_port, get};

const THUMBPRINT: &str = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

#[tokio::test]
async fn a_live_token_and_a_validation_file_are_answered_in_clear_and_a_neighbouring_path_is_not() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.secured_site("Maps", "maps.example", http, https).await;
    let folder = world.folder(site).join(".well-known/pki-validation");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("own.txt"), "a file of the site").unwrap();

    let token = ExemptionDraft::acme(&format!("token.{THUMBPRINT}"), tester().now + Duration::HOUR).unwrap();
    let ended = ExemptionDraft::acme(&format!("ended.{THUMBPRINT}"), tester().now - Duration::HOUR).unwrap();
    let file = ExemptionDraft::file("fileauth.txt", "<script>2026\n").unwrap();
    let mut ids = Vec::new();
    for draft in [token, ended, file] {
        ids.push(world.store.create_exemption(site, draft, &tester()).await.unwrap());
    }
    let (token, file) = ("/.well-known/acme-challenge/token", "/.well-known/pki-validation/fileauth.txt");
    for (require_ssl, otherwise) in [(RequireSsl::Refuse, 403), (RequireSsl::Redirect, 308)] {
        world.require_ssl(site, require_ssl).await;
        let reply = clear(http, get("shop.example", token)).await;
        assert_eq!((reply.status, reply.text()), (200, format!("token.{THUMBPRINT}").as_str()));
        let reply = clear(http, get("shop.example", file)).await;
        assert_eq!((reply.status, reply.text()), (200, "<script>2026\n"));
        assert_eq!(reply.field("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.field("content-length"), Some(reply.body.len().to_string().as_str()));
        for other in [
            "/.well-known/acme-challenge/ended",
            "/.well-known/acme-challenge/token/",
            "/.well-known/acme-challenge/Token",
            "/.well-known/acme-challenge/",
            "/.well-known/pki-validation/token",
            "/.well-known/pki-validation/own.txt",
            "/.well-known/pki-validation/fileauth.txt/x",
            "/",
        ] {
            assert_eq!(clear(http, get("shop.example", other)).await.status, otherwise, "{other}");
        }
    }
    let post = format!("POST {token} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(clear(http, post).await.status, 405);
    assert_eq!(clear(http, get("maps.example", token)).await.status, 404, "it is no other site's");
    let secured = exchange(world.connect(https, "shop.example").await.unwrap(), get("shop.example", token)).await;
    assert_eq!((secured.status, secured.text()), (200, format!("token.{THUMBPRINT}").as_str()));

    world.store.delete_exemption(site, ids[2], &tester()).await.unwrap();
    assert_eq!(clear(http, get("shop.example", file)).await.status, 308);
    world.store.remove_ended_exemptions(&Author::siteward(tester().now)).await.unwrap();
    let left: Vec<_> = world.store.table().site(site).unwrap().exemptions.list().iter().map(|own| own.id).collect();
    assert_eq!(left, [ids[0]], "what had ended is gone");
}
