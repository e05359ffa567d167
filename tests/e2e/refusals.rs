//! From the reference on a visitor's page to who set what refused them.

use crate::harness::client::curl;
use crate::harness::program::Machine;
use crate::harness::team::NAME;
use crate::harness::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_that_a_visitor_reads_out_leads_to_who_requires_ssl() {
    let machine = Machine::new();
    let (program, mut console) = machine.set_up().await;
    let http = machine.http.number();
    let shop = console.add_site("Bookshop", "shop.example", http, &machine.content("shop", "Books")).await;
    console.require_ssl(&shop, "refuse").await;
    let address = format!("http://shop.example:{http}/atlas?page=2");
    let page = curl(&["--header", "Accept-Language: de-AT, en;q=0.5", &address]);
    assert!(page.contains("Diese Seite braucht eine sichere Verbindung"), "{page}");
    let reference = page.split_once("Referenz <b>").expect(&page).1.split('<').next().unwrap_or_default().to_owned();
    let in_log = format!("reference={reference}");
    until("the reference in the log", async || program.log().contains(&in_log).then_some(())).await;

    let typed = reference.to_lowercase().replace('-', "");
    let told = until("the reference to be known", async || {
        let page = console.open(&format!("/search?q={typed}")).await;
        page.path.starts_with("/why/").then_some(page)
    });
    let told = told.await.text("main");
    for words in [
        "403.4 SSL required",
        "Asked for shop.example, which led to Bookshop",
        "Require secure channel (SSL): Refuse plain HTTP",
        &format!("{NAME} changed the SSL settings of Bookshop"),
        "/atlas",
        "The same request would get the same now.",
    ] {
        assert!(told.contains(words), "no {words} in {told}");
    }
    assert!(!told.contains("page=2"), "a query may hold secrets: {told}");
}
