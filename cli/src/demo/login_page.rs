//! Plays the browser on the development provider's page: the form as it is handed out, with the terminal's secret.

use reqwest::{StatusCode, header};
use url::Url;

use crate::{
    context::{Directories, GatewayUrl},
    failure::Failure,
    http_client, trust,
};

const MAX_PAGE_BYTES: usize = 256 * 1024;

/// Confirms the login that waits behind `address`, as `person`.
pub(super) async fn confirm(
    directories: &Directories,
    gateway: &GatewayUrl,
    address: &Url,
    person: &str,
    secret: &str,
) -> Result<(), Failure> {
    let client = http_client::new(trust::client_config(directories, gateway)?, gateway.host())?;
    let unreachable = |error| http_client::unreachable("the login page", error);
    let response = client.get(address.clone()).send().await.map_err(unreachable)?;
    let cookies: Vec<String> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| Some(value.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    let page = http_client::body(response, MAX_PAGE_BYTES).await;
    let page = page.map_err(|error| Failure::failed("the login page broke off").caused_by(&error))?;
    let page = String::from_utf8_lossy(&page);
    let fields = [
        ("form_token", field(&page, "form_token")?),
        ("user_code", field(&page, "user_code")?),
        ("secret", secret.to_owned()),
        ("user", person.to_owned()),
        ("decision", "approve".to_owned()),
    ];
    let target = field_of_form(&page)
        .and_then(|action| address.join(&action).ok())
        .ok_or_else(|| Failure::internal("the login page has no form"))?;
    let answer = client
        .post(target)
        .header(header::ORIGIN, address.origin().ascii_serialization())
        .header(header::COOKIE, cookies.join("; "))
        .form(&fields)
        .send()
        .await
        .map_err(unreachable)?;
    if answer.status() == StatusCode::OK {
        return Ok(());
    }
    Err(Failure::failed(format!("the login page answered {}", answer.status())))
}

/// The value of a named input.
fn field(page: &str, name: &str) -> Result<String, Failure> {
    let tags = page.split("<input ").skip(1).filter_map(|rest| rest.split('>').next());
    let mut named = tags.filter(|tag| attribute(tag, "name") == Some(name));
    let value = named.next().and_then(|tag| attribute(tag, "value"));
    value.map(str::to_owned).ok_or_else(|| Failure::internal(format!("the login page has no field `{name}`")))
}

fn field_of_form(page: &str) -> Option<String> {
    let tag = page.split("<form ").nth(1)?.split('>').next()?;
    attribute(tag, "action").map(str::to_owned)
}

fn attribute<'tag>(tag: &'tag str, name: &str) -> Option<&'tag str> {
    let (_before, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<form method=\"post\" action=\"device\"><input type=\"hidden\" name=\"form_token\" value=\"abc\">\
                        <input type=\"text\" id=\"user_code\" name=\"user_code\" value=\"BCDF-GHJK\" required></form>";

    #[test]
    fn reads_the_form_as_it_is_handed_out() {
        assert_eq!(field(PAGE, "form_token").as_deref(), Ok("abc"));
        assert_eq!(field(PAGE, "user_code").as_deref(), Ok("BCDF-GHJK"));
        assert_eq!(field_of_form(PAGE).as_deref(), Some("device"));
        assert!(field(PAGE, "other").is_err());
    }
}
