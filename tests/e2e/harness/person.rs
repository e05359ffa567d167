//! Somebody at the keyboard: does what can be seen on the page, and waits for what comes of it.

use thirtyfour::prelude::*;

use super::browser::Browser;
use super::wait::until;

impl Browser {
    /// Goes to an address, as typed.
    pub(crate) async fn visit(&self, address: &str) {
        self.driver.goto(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
    }

    /// Waits for the page with this heading.
    pub(crate) async fn sees(&self, heading: &str) {
        let what = format!("the page {heading:?}");
        until(&what, async || {
            let found = self.driver.find(By::Css("h1")).await.ok()?;
            (found.text().await.ok()? == heading).then_some(())
        })
        .await;
    }

    /// Types into the field with this name, instead of what stands there.
    pub(crate) async fn types(&self, field: &str, text: &str) {
        let input = self.find(By::Name(field)).await;
        input.clear().await.expect("a field that can be cleared");
        input.send_keys(text).await.expect("a field that can be typed into");
    }

    /// Chooses a file.
    pub(crate) async fn chooses_file(&self, field: &str, file: &std::path::Path) {
        self.find(By::Name(field)).await.send_keys(file.display().to_string()).await.expect("a file input");
    }

    /// Chooses the radio button with this value, or ticks the box.
    pub(crate) async fn chooses(&self, field: &str, value: &str) {
        self.find(By::Css(format!("input[name='{field}'][value='{value}']"))).await.click().await.expect("a choice");
    }

    /// Chooses from a list the line that has these words in it.
    pub(crate) async fn selects(&self, field: &str, words: &str) {
        let line = format!("//select[@name='{field}']/option[contains(., '{words}')]");
        self.find(By::XPath(line)).await.click().await.expect("a line of a list");
    }

    /// Presses the button with these words, and waits until the page has made way for the next one.
    pub(crate) async fn presses(&self, words: &str) {
        let button = self.find(By::XPath(format!("//button[normalize-space()='{words}']"))).await;
        self.leaves_by(button).await;
    }

    /// Follows the link with these words, likewise.
    pub(crate) async fn follows(&self, words: &str) {
        let link = self.find(By::XPath(format!("//main//a[normalize-space()='{words}']"))).await;
        self.leaves_by(link).await;
    }

    /// Follows a link that downloads a file and stays on the page.
    pub(crate) async fn saves(&self, words: &str, file: &str) -> String {
        let link = self.find(By::XPath(format!("//main//a[normalize-space()='{words}']"))).await;
        link.click().await.expect("a link");
        self.downloaded(file).await
    }

    /// The text of the whole page.
    pub(crate) async fn text(&self) -> String {
        self.find(By::Css("body")).await.text().await.expect("the page's text")
    }

    async fn leaves_by(&self, way: WebElement) {
        let page = self.find(By::Css("html")).await;
        way.click().await.unwrap_or_else(|error| panic!("{error}"));
        until("the next page", async || page.tag_name().await.is_err().then_some(())).await;
    }

    async fn find(&self, by: By) -> WebElement {
        let what = format!("{by:?}");
        match self.driver.query(by).first().await {
            Ok(element) => element,
            Err(_) => panic!("no {what} on the page:\n{}", self.driver.source().await.unwrap_or_default()),
        }
    }
}
