//! Whom a trust list lets in: one rule on each line, as `Organization is Meridian*`.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::store::TrustListView;
use siteward_core::trust_list::{AllowRule, Field, TrustListId};

use super::preview::{self, PREVIEW, Panel};
use super::{SECTION, version};
use crate::error::Answer;
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

/// How many lines are complained of at once.
const MAX_COMPLAINTS: usize = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RulesForm {
    rules: String,
    version: Revision,
    /// `preview` where nothing is to be saved yet.
    #[serde(rename = "do")]
    action: String,
    /// The rules in words when the form was opened.
    was: Vec<String>,
}

impl RulesForm {
    fn parse(&self) -> Result<Vec<AllowRule>, Errors> {
        let mut errors = Errors::default();
        let mut rules = Vec::new();
        for (number, line) in (1..).zip(self.rules.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            if errors.fields().len() == MAX_COMPLAINTS {
                break;
            }
            let rule = parse(line).map_err(|why| format!("Line {number}: {why}"));
            rules.extend(errors.check("rules", rule));
        }
        errors.or(Some(rules))
    }
}

/// A rule as typed, which is as it is shown; a field may go by its short name too, as in `cn is Ann`.
fn parse(line: &str) -> Result<AllowRule, String> {
    let unknown = || "Begin with a field, as in “Organization is Meridian*”. The fields are named below.".to_owned();
    let (name, pattern) = line.split_once(" is ").ok_or_else(unknown)?;
    let plain = |text: &str| text.trim().replace('’', "'").to_lowercase();
    let is_named = |field: &Field| plain(field.label()) == plain(name) || field.as_str() == plain(name);
    let field = Field::ALL.into_iter().find(is_named).ok_or_else(unknown)?;
    AllowRule::parse(field, pattern).map_err(|why| why.to_string())
}

/// The rules in one line.
fn shown(list: &TrustListView) -> Vec<String> {
    vec![in_words(&list.allow)]
}

fn in_words(rules: &[AllowRule]) -> String {
    if rules.is_empty() {
        return "Everybody whom its CAs vouch for".into();
    }
    rules.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/rules.html")]
struct RulesPage {
    shell: Shell,
    list: TrustListView,
    form: RulesForm,
    panel: Option<Panel>,
    errors: Errors,
}

async fn page(session: &Session, list: TrustListView, form: RulesForm, panel: Option<Panel>, errors: Errors) -> Answer {
    let shell = session.shell(SECTION).await?;
    Ok((errors.status(), RulesPage { shell, list, form, panel, errors }).into_response())
}

/// The form with a list's rules.
pub(crate) async fn edit(session: Session, At(id): At<TrustListId>) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let rules = list.allow.iter().map(|rule| format!("{rule}\n")).collect();
    let form = RulesForm { rules, version: list.version, action: String::new(), was: shown(&list) };
    page(&session, list, form, None, Errors::default()).await
}

/// Saves a list's rules, or shows whom they would turn away.
pub(crate) async fn update(session: Session, At(id): At<TrustListId>, Fields(mut form): Fields<RulesForm>) -> Answer {
    match save(&session, id, &form).await {
        Ok(Some(panel)) => {
            let list = session.store().find_trust_list(id).await?;
            page(&session, list, form, Some(panel), Errors::default()).await
        }
        Ok(None) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::AllowRules).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let list = session.store().find_trust_list(id).await?;
            if errors.conflict().is_some() {
                let typed = form.parse().map(|rules| in_words(&rules)).unwrap_or_default();
                errors.compare(&["Lets in"], &form.was, &shown(&list), vec![typed]);
                (form.version, form.was) = (list.version, shown(&list));
            }
            page(&session, list, form, None, errors).await
        }
    }
}

async fn save(session: &Session, id: TrustListId, form: &RulesForm) -> Result<Option<Panel>, Refusal> {
    let list = session.store().find_trust_list(id).await?;
    let version = version(&list, form.version, &form.was, &shown(&list));
    let (rules, by) = (form.parse()?, session.author());
    let preview = (form.action == PREVIEW).then(|| format!("Lets in: {}", in_words(&rules)));
    preview::save(session, id, preview, async |store| store.set_allow_rules(id, version, rules, &by).await).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_shown_and_by_the_short_name_of_its_field() {
        for field in Field::ALL {
            let rule = AllowRule::parse(field, "Alder & Finch is *").unwrap();
            assert_eq!(parse(&rule.to_string()), Ok(rule.clone()));
            let short = format!(" {} is {} ", field.as_str().to_uppercase(), rule.pattern());
            assert_eq!(parse(&short), Ok(rule));
        }
        let typed = parse("issuer's COMMON name is x").unwrap();
        assert_eq!((typed.field, typed.pattern()), (Field::IssuerCommonName, "x"));
    }

    #[test]
    fn a_line_that_is_no_rule_is_refused_with_a_sentence() {
        for (line, why) in [
            ("Meridian*", "Begin with a field"),
            ("Colour is blue", "Begin with a field"),
            ("Organization = Meridian", "Begin with a field"),
            ("Organization is ", "Begin with a field"),
            ("Organization is a*b", "Enter a value of 1 to 200"),
        ] {
            let line = line.trim_end();
            assert!(parse(line).unwrap_err().starts_with(why), "{line}: {:?}", parse(line));
        }
    }
}
