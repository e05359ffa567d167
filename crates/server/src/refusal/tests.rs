use super::*;

fn refuse(refusal: Refusal, host: Option<&str>, address: Option<&str>) -> Denial {
    Denial::Refuse { refusal, host: host.map(str::to_owned), address: address.map(str::to_owned) }
}

fn refuse_clear(host: Option<&str>, address: Option<&str>) -> Denial {
    refuse(Refusal::SslRequired, host, address)
}

/// Every page there is.
fn every_denial() -> Vec<Denial> {
    let to = HeaderValue::from_static("https://shop.example/");
    let mut denials = vec![
        Denial::BadHost(BadHost::Missing),
        Denial::BadHost(BadHost::Several),
        Denial::BadHost(BadHost::Unreadable),
        Denial::BadPath,
        Denial::Redirect { how: Redirect::Permanent, location: to.clone() },
        Denial::Redirect { how: Redirect::Moved, location: to },
        refuse_clear(Some("shop.example"), Some("https://shop.example/")),
        Denial::NoSite,
        Denial::NoPage,
        Denial::Method,
        Denial::Misdirected,
        Denial::Unreadable,
        Denial::Stopped,
        Denial::Busy,
    ];
    denials.extend(Refusal::ALL.iter().map(|refusal| refuse(*refusal, Some("shop.example"), None)));
    denials
}

fn page(denial: &Denial, language: Language) -> String {
    page::of(denial, language.texts(), None)
}

/// What a page says between its tags, line by line, but for its addresses, its code and its host.
fn sentences(page: &str) -> Vec<String> {
    let (head, main) = page.split_once("<main>").unwrap();
    let title = head.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    let main = main.split_once("<footer>").unwrap().0;
    let lines =
        main.lines().filter(|line| !line.is_empty() && !line.contains("<a ") && !line.contains("class=\"site\""));
    let inner = |line: &str| line.split_once('>').unwrap().1.rsplit_once("</").unwrap().0.to_owned();
    lines.map(inner).chain([title.to_owned()]).collect()
}

#[test]
fn the_403_4_page_says_what_to_type_and_links_there() {
    let page =
        page(&refuse_clear(Some("shop.example"), Some("https://shop.example/books/atlas?a=1&b=2")), Language::English);
    assert!(page.contains("must be viewed over a secure channel"));
    assert!(page.contains("Type https:// at the beginning of the address"));
    assert!(page.contains("<p class=\"site\">shop.example</p>"));
    assert!(page.contains("<a href=\"https://shop.example/books/atlas?a=1&amp;b=2\">"));
    assert!(page.contains("403.4 SSL required"));
}

#[test]
fn without_an_https_address_there_is_no_link() {
    let page = page(&refuse_clear(None, None), Language::English);
    assert!(page.contains("Type https:// at the beginning of the address.</p>"));
    assert!(!page.contains("<a "));
}

#[test]
fn what_a_visitor_sent_never_becomes_markup() {
    let address = "https://shop.example/\"><script>alert('1')</script>";
    let page = page(&refuse_clear(Some("<b>"), Some(address)), Language::English);
    assert!(!page.contains("<script>"));
    assert!(!page.contains("<b>"));
    assert!(page.contains("https://shop.example/&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
}

#[test]
fn every_page_in_every_language_has_its_code_its_site_and_its_link() {
    for denial in every_denial() {
        let code = match &denial {
            Denial::Refuse { refusal, .. } => format!(">403.{} {}<", refusal.substatus(), refusal.reason()),
            other => format!(">{} ", other.status().as_str()),
        };
        let has_link = matches!(denial, Denial::Redirect { .. } | Denial::Refuse { address: Some(_), .. });
        for language in Language::ALL {
            let page = page(&denial, language);
            assert!(page.contains(&code), "{denial:?} {language:?}: {page}");
            assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())), "{denial:?} {language:?}");
            assert_eq!(page.contains("<a href=\"https://shop.example/\">"), has_link, "{denial:?} {language:?}");
            let has_site = matches!(denial, Denial::Refuse { .. });
            assert_eq!(page.contains("<p class=\"site\">shop.example</p>"), has_site, "{denial:?} {language:?}");
            assert!(sentences(&page).iter().all(|sentence| !sentence.trim().is_empty()), "{denial:?} {language:?}");
        }
    }
}

#[test]
fn no_page_speaks_two_languages() {
    let of = |language| -> Vec<Vec<String>> {
        every_denial().iter().map(|denial| sentences(&page(denial, language))).collect()
    };
    let english = of(Language::English).concat();
    for language in Language::ALL.into_iter().skip(1) {
        for (denial, sentences) in every_denial().iter().zip(of(language)) {
            for sentence in sentences {
                assert!(!english.contains(&sentence), "{language:?} {denial:?}: {sentence}");
                let is_latin = !matches!(language, Language::Japanese | Language::Chinese);
                let letters: Vec<char> = sentence.chars().filter(|c| c.is_alphabetic()).collect();
                let latin = letters.iter().filter(|c| c.is_ascii()).count();
                assert!(is_latin || 2 * latin < letters.len(), "{language:?} {denial:?}: {sentence}");
            }
        }
    }
}

#[test]
fn every_page_is_whole_in_itself_uncached_and_without_a_product_name() {
    for denial in every_denial() {
        for language in Language::ALL {
            let page = page(&denial, language);
            assert!(!page.to_lowercase().contains("siteward"), "{denial:?}");
            for needs_a_file in ["src=", "<link", "url(", "<script"] {
                assert!(!page.contains(needs_a_file), "{denial:?}");
            }
            let answer = denial.clone().into_answer(Told { language, reference: None });
            let field = |name| answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(field(CACHE_CONTROL), "no-store");
            assert_eq!(field(VARY), "accept-language");
            assert_eq!(field(CONTENT_LANGUAGE), language.tag());
            assert_eq!(field(CONTENT_LENGTH), page.len().to_string());
        }
    }
}

#[test]
fn a_reference_stands_below_the_code_in_the_words_of_the_language() {
    let reference = Reference::from_random(u64::MAX);
    for (language, words) in [(Language::English, "Reference"), (Language::German, "Referenz")] {
        let page = page::of(&Denial::Misdirected, language.texts(), Some(reference));
        assert!(page.contains(&format!("<p>{words} <b>ZZZZZ-ZZZZZ</b></p></footer>")), "{page}");
    }
}
