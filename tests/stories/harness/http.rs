//! As much of a browser as the login pages need: pages, forms with hidden fields, cookies, the development authority.

use std::{fs, path::Path, time::Duration};

use reqwest::{Certificate, Client, header, redirect::Policy};
use url::Url;

/// A page that was fetched.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
    cookies: Vec<String>,
    location: Option<String>,
    url: Url,
}

/// A browser of one person, with the cookies it was given.
pub(crate) struct Browser {
    client: Client,
    runtime: tokio::runtime::Runtime,
    cookies: Vec<String>,
}

impl Browser {
    /// One that trusts every certificate in the state folder of the gateway's user.
    pub(crate) fn trusting(state: &Path) -> Self {
        let mut builder = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).no_proxy();
        let mut folders = vec![state.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if text.contains("BEGIN CERTIFICATE") {
                    let authority = Certificate::from_pem(text.as_bytes()).expect("a certificate");
                    builder = builder.add_root_certificate(authority);
                }
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { client: builder.build().expect("a client"), runtime, cookies: Vec::new() }
    }

    /// Confirms a device login as this person: opens the page, fills every form with what it asks for, sends it.
    pub(crate) fn approve(&mut self, address: &str, person: &str, secret: &str) {
        let mut page = self.open(address);
        for _ in 0..6 {
            assert!(page.status < 400, "{page:?}");
            let Some(form) = Form::first(&page.body) else { return };
            let fields = form.filled(person, secret);
            page = self.send(&page.url.join(&form.action).expect("an address"), &fields);
        }
        panic!("the login never ended: {page:?}");
    }

    /// Confirms a login up to the form that leads to this address, and gives what it would send.
    pub(crate) fn approve_up_to(&mut self, target: &str, address: &str, person: &str) -> Vec<(String, String)> {
        let mut page = self.open(address);
        for _ in 0..6 {
            assert!(page.status < 400, "{page:?}");
            let form = Form::first(&page.body).unwrap_or_else(|| panic!("no form: {page:?}"));
            let (url, fields) = (page.url.join(&form.action).expect("an address"), form.filled(person, ""));
            if url.as_str() == target {
                return fields;
            }
            page = self.send(&url, &fields);
        }
        panic!("the login never came to {target}: {page:?}");
    }

    /// Fills in the forms from this page on, with these answers; the titles that follow are these.
    pub(crate) fn fill_in(&mut self, mut page: Page, answers: &[(&str, &str)], then: &str, last: &str) {
        for title in [then, last] {
            let form = Form::first(&page.body).expect("a form");
            let mut fields = form.filled("", "");
            for (name, value) in &mut fields {
                if let Some((_, answer)) = answers.iter().find(|(asked, _)| asked == name) {
                    (*answer).clone_into(value);
                }
            }
            page = self.send(&page.url.join(&form.action).expect("an address"), &fields);
            assert!(page.body.contains(&format!("<h1>{title}</h1>")), "{title}: {page:?}");
        }
    }

    /// Says no to a device login, by the button that the page has for it.
    pub(crate) fn deny(&mut self, address: &str, person: &str, secret: &str) {
        let mut page = self.open(address);
        for _ in 0..6 {
            assert!(page.status < 400, "{page:?}");
            let Some(form) = Form::first(&page.body) else { return };
            let mut fields = form.filled(person, secret);
            for (name, value) in [("abort", "yes"), ("decision", "deny")] {
                if page.body.contains(&format!("name=\"{name}\"")) {
                    fields.retain(|(field, _)| field != name);
                    fields.push((name.to_owned(), value.to_owned()));
                }
            }
            page = self.send(&page.url.join(&form.action).expect("an address"), &fields);
        }
    }

    /// Sends the first form of a page once, and gives the status of the answer.
    pub(crate) fn try_once(&mut self, address: &str, person: &str, secret: &str) -> u16 {
        let page = self.open(address);
        let form = Form::first(&page.body).expect("a form");
        let fields = form.filled(person, secret);
        self.send(&page.url.join(&form.action).expect("an address"), &fields).status
    }

    /// Sends the first form of a page with other headers than a browser's, or without its hidden fields; gives the
    /// status of the answer.
    pub(crate) fn forge(&mut self, address: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> u16 {
        let page = self.open(address);
        let form = Form::first(&page.body).expect("a form");
        let mut all = form.filled("bob", "");
        for (name, value) in fields {
            all.retain(|(kept, _)| kept != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        let url = page.url.join(&form.action).expect("an address");
        let request = self.client.post(url.clone()).form(&all);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.exchange(url, request).status
    }

    /// Gets something with these headers and gives the status.
    pub(crate) fn ask(&mut self, address: &str, headers: &[(&str, &str)]) -> u16 {
        let url = Url::parse(address).expect("an address");
        let request = self.client.get(url.clone());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.exchange(url, request).status
    }

    /// Gets a page, following redirections.
    pub(crate) fn open(&mut self, address: &str) -> Page {
        let url = Url::parse(address).expect("an address");
        let request = self.client.get(url.clone());
        let page = self.exchange(url, request);
        self.follow(page)
    }

    /// Posts a form as a browser does, with the Origin of the page.
    pub(crate) fn send(&mut self, url: &Url, fields: &[(String, String)]) -> Page {
        let request =
            self.client.post(url.clone()).header(header::ORIGIN, url.origin().ascii_serialization()).form(fields);
        let page = self.exchange(url.clone(), request);
        self.follow(page)
    }

    /// Posts a form as a program does, which has no origin.
    pub(crate) fn post(&mut self, url: &Url, fields: &[(String, String)]) -> Page {
        let request = self.client.post(url.clone()).form(fields);
        self.exchange(url.clone(), request)
    }

    /// Posts JSON as a program does.
    pub(crate) fn post_json(&mut self, url: &Url, body: &serde_json::Value) -> Page {
        let request = self.client.post(url.clone()).json(body);
        self.exchange(url.clone(), request)
    }

    fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..8 {
            let Some(location) = page.location.clone().or_else(|| refresh(&page.body)) else { return page };
            let url = page.url.join(&location).expect("an address");
            let request = self.client.get(url.clone());
            page = self.exchange(url, request);
        }
        panic!("too many redirections: {page:?}");
    }

    fn exchange(&mut self, url: Url, request: reqwest::RequestBuilder) -> Page {
        let request = request.header(header::COOKIE, self.cookies.join("; "));
        let page = self.runtime.block_on(async {
            let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
            let text = |value: &header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            let cookies = response.headers().get_all(header::SET_COOKIE).iter().map(text).collect();
            let location = response.headers().get(header::LOCATION).map(text);
            Page {
                status: response.status().as_u16(),
                cookies,
                location,
                url,
                body: response.text().await.expect("a body"),
            }
        });
        for cookie in page.cookies.iter().filter_map(|cookie| cookie.split(';').next()) {
            let name = cookie.split('=').next().unwrap_or_default();
            self.cookies.retain(|kept| kept.split('=').next() != Some(name));
            self.cookies.push(cookie.to_owned());
        }
        page
    }
}

/// A form of a page.
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    fn first(body: &str) -> Option<Self> {
        let (_, rest) = body.split_once("<form")?;
        let (head, rest) = rest.split_once('>')?;
        let inside = rest.split("</form>").next()?;
        // A person clicks the first button; the others send nothing.
        let mut clicked = false;
        let tags = inside.split('<').filter(|tag| {
            let first_button = tag.starts_with("button") && !std::mem::replace(&mut clicked, true);
            tag.starts_with("input") || first_button
        });
        let fields =
            tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())));
        let mut fields: Vec<(String, String)> = fields.collect();
        fields.dedup_by(|later, first| later.0 == first.0);
        Some(Self { action: attribute(head, "action").unwrap_or_default(), fields })
    }

    /// The fields with what a person would type.
    fn filled(&self, person: &str, secret: &str) -> Vec<(String, String)> {
        let fill = |(name, value): &(String, String)| {
            let typed = match name.as_str() {
                "user" | "login" | "username" | "person" | "name" => person,
                "secret" => secret,
                "password" => "any",
                _ => value,
            };
            (name.clone(), typed.to_owned())
        };
        self.fields.iter().map(fill).collect()
    }
}

/// Where a page leads on to by itself.
fn refresh(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("http-equiv=\"refresh\" content=\"0;url=")?;
    Some(rest.split('"').next()?.replace("&amp;", "&"))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next()?.replace("&amp;", "&").replace("&#x2F;", "/").replace("&quot;", "\""))
}
