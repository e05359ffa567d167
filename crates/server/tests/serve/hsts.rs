//! `Strict-Transport-Security` (RFC 6797): on which answers it is, and on which never.

use siteward_core::ssl::{HstsDraft, HstsOrder, RequireSsl, RulePath, Settings, TlsVersion};
use siteward_core::store::RuleDraft;
use siteward_core::testing::tester;

use crate::world::{Reply, World, clear, connect, exchange, free_port, get};

const FIELD: &str = "strict-transport-security";

async fn tell(world: &World, site: i64, order: HstsOrder, subdomains: bool) {
    let draft = HstsDraft { order, subdomains, preload: false };
    world.store.update_hsts(site, world.version(site), draft, &tester()).await.unwrap();
}

#[tokio::test]
async fn every_answer_of_a_site_over_https_tells_it_and_none_in_clear_or_for_an_address() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    let secured = async |host: &str, target: &str| -> Reply {
        exchange(world.connect(https, "shop.example").await.unwrap(), get(host, target)).await
    };
    assert_eq!(secured("shop.example", "/").await.field(FIELD), None, "off is off");
    tell(&world, site, HstsOrder::Ramp, true).await;
    let strict = Settings { min_tls: Some(TlsVersion::Tls13), ..Settings::default() };
    let rule = RuleDraft { path: RulePath::parse("/vault").unwrap(), settings: strict, reason: String::new() };
    world.store.create_rule(site, world.version(site), rule, &tester()).await.unwrap();

    let told = Some("max-age=300; includeSubDomains");
    for (target, status) in [("/", 200), ("/gone", 404)] {
        let reply = secured("shop.example", target).await;
        assert_eq!((reply.status, reply.field(FIELD)), (status, told), "{target}");
    }
    let weak = connect(world.visitor(&[&rustls::version::TLS12]).await, https, "shop.example").await.unwrap();
    let refused = exchange(weak, get("shop.example", "/vault")).await;
    assert_eq!((refused.status, refused.field(FIELD)), (403, told), "a refusal over https tells it too");
    let address = secured("127.0.0.1", "/").await;
    assert_eq!(address.field(FIELD), None, "{}", address.head);
    for require_ssl in [RequireSsl::Off, RequireSsl::Refuse, RequireSsl::Redirect] {
        world.require_ssl(site, require_ssl).await;
        for target in ["/", "/vault", "/gone"] {
            let reply = clear(http, get("shop.example", target)).await;
            assert_eq!(reply.field(FIELD), None, "{require_ssl:?} {target}: {}", reply.head);
        }
    }

    tell(&world, site, HstsOrder::Fixed(31_536_000), false).await;
    assert_eq!(secured("shop.example", "/").await.field(FIELD), Some("max-age=31536000"));
    tell(&world, site, HstsOrder::Off, false).await;
    assert_eq!(secured("shop.example", "/").await.field(FIELD), Some("max-age=0"), "browsers are told to forget");
}

#[tokio::test]
async fn a_site_that_any_name_or_address_reaches_tells_it_to_names_alone() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.site("Everything", "", http).await;
    let certificate = world.certificate("shop.example").await;
    world.bind(site, crate::world::place(siteward_core::binding::Protocol::Https, https, ""), Some(certificate)).await;
    tell(&world, site, HstsOrder::Ramp, false).await;
    for (host, told) in
        [("shop.example", Some("max-age=300")), ("127.0.0.1", None), ("[::1]", None), ("my_shop.example", None)]
    {
        let reply = exchange(world.connect(https, "shop.example").await.unwrap(), get(host, "/")).await;
        assert_eq!((reply.status, reply.field(FIELD)), (200, told), "{host}");
    }
}
