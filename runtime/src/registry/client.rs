//! One repository of one registry over HTTP.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::auth::{self, Challenge, Token};
use super::credentials::{self, Credentials};
use super::error::{RegistryError, TIMED_OUT};
use crate::reference::Reference;

/// A connection that does not come about is given up after this.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection on which nothing moves is given up after this; `PLIMSOLL_REGISTRY_TIMEOUT` names other seconds.
fn stall() -> Duration {
    let named = std::env::var("PLIMSOLL_REGISTRY_TIMEOUT").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(named.filter(|seconds| *seconds > 0).unwrap_or(30))
}

/// Where the system's certificates are, by distribution.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// One repository of one registry.
pub struct Registry {
    agent: Agent,
    /// `https://registry-1.docker.io`
    base: Mutex<String>,
    reference: Reference,
    /// The host as it is called.
    host: String,
    credentials: Option<Credentials>,
    authorization: Mutex<Option<String>>,
    action: &'static str,
}

/// A request's body, which can be given again for a second try.
pub(super) enum Content<'c> {
    None,
    Bytes(&'c [u8]),
    Reader(&'c mut dyn std::io::Read, u64),
}

impl Registry {
    /// The registry of this image or, of a mirror, that host.
    pub fn new(reference: &Reference, mirror: Option<&str>, action: &'static str) -> Result<Registry, RegistryError> {
        let named = mirror.unwrap_or(&reference.registry);
        let (scheme, named) = match named.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest.trim_end_matches('/')),
            None => (None, named),
        };
        let host = if named == "docker.io" { "registry-1.docker.io" } else { named };
        let local = is_loopback(host);
        let scheme = scheme.unwrap_or(if local { "http" } else { "https" });
        let mut asked = reference.clone();
        named.clone_into(&mut asked.registry);
        Ok(Registry {
            agent: agent(local),
            base: Mutex::new(format!("{scheme}://{host}")),
            reference: reference.clone(),
            host: host.to_owned(),
            credentials: credentials::find(&asked)?,
            authorization: Mutex::new(None),
            action,
        })
    }

    /// The same for somebody else.
    pub(super) fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.reference
    }

    /// `/v2/library/debian/` and what follows.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.reference.repository)
    }

    /// Sends a request, answering the registry's challenge when it has one. Any status comes back.
    pub(super) fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        mut content: Content<'_>,
    ) -> Result<Response<Body>, RegistryError> {
        let mut challenged = false;
        loop {
            let held = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let response = match self.once(method, path, headers, held.as_deref(), &mut content) {
                // Who does not answer at all speaks no other language either.
                Err(error) if !error.is_timeout() && self.try_other_scheme() => continue,
                response => response?,
            };
            if response.status().as_u16() == 400 && self.try_other_scheme() {
                continue;
            }
            if response.status().as_u16() != 401 || challenged {
                return Ok(response);
            }
            challenged = true;
            let headers = response.headers().get_all("www-authenticate");
            let challenge = auth::parse(headers.iter().filter_map(|value| value.to_str().ok()));
            let Some(answer) = self.answer(challenge.as_ref())? else { return Ok(response) };
            *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            // What a reader gave is gone; requests with one come after others, which have been challenged.
            if matches!(content, Content::Reader(..)) {
                return Ok(response);
            }
        }
    }

    fn once(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
        content: &mut Content<'_>,
    ) -> Result<Response<Body>, RegistryError> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let url = if path.contains("://") { path.to_owned() } else { format!("{base}{path}") };
        let own = url.strip_prefix(&base).is_some_and(|rest| rest.starts_with('/'));
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // Credentials are for the registry alone, wherever it sends us.
        if let Some(authorization) = authorization.filter(|_| own) {
            request = request.header("authorization", authorization);
        }
        let invalid = |error: ureq::http::Error| self.protocol(format!("it gave an address that is none: {error}"));
        let result = match content {
            Content::None if *method == Method::POST || *method == Method::PUT => {
                self.agent.run(request.header("content-length", "0").body(&[][..]).map_err(invalid)?)
            }
            Content::None => self.agent.run(request.body(()).map_err(invalid)?),
            Content::Bytes(bytes) => self.agent.run(request.body(*bytes).map_err(invalid)?),
            Content::Reader(reader, length) => {
                let request = request.header("content-length", length.to_string());
                self.agent.run(request.body(SendBody::from_reader(reader)).map_err(invalid)?)
            }
        };
        result.map_err(|error| self.unreachable(&error))
    }

    /// A registry on loopback may have certificates after all.
    fn try_other_scheme(&self) -> bool {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if is_loopback(&self.host)
            && let Some(rest) = base.strip_prefix("http://")
        {
            *base = format!("https://{rest}");
            return true;
        }
        false
    }

    fn answer(&self, challenge: Option<&Challenge>) -> Result<Option<String>, RegistryError> {
        let credentials = self.credentials.as_ref();
        match challenge {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(auth::basic(credentials)),
            Some(Challenge::Bearer { realm, service, scope }) => {
                let scope = scope.clone().unwrap_or_else(|| {
                    let actions = if self.action == "push" { "pull,push" } else { "pull" };
                    format!("repository:{}:{actions}", self.reference.repository)
                });
                self.token(realm, service.as_deref(), &scope).map(Some)
            }
        }
    }

    fn token(&self, realm: &str, service: Option<&str>, scope: &str) -> Result<String, RegistryError> {
        if realm.starts_with("http://") && !is_loopback(host_of(realm)) && self.credentials.is_some() {
            return Err(self.protocol("it wants credentials sent in the clear".to_owned()));
        }
        let mut query = format!("scope={}", auth::escape(scope));
        if let Some(service) = service {
            query.push_str(&format!("&service={}", auth::escape(service)));
        }
        let fail = |error: &ureq::Error| self.unreachable(error);
        let mut response = match &self.credentials {
            Some(Credentials::Identity(token)) => {
                let form = format!(
                    "grant_type=refresh_token&client_id=plimsoll&refresh_token={}&{query}",
                    auth::escape(token)
                );
                let request = self.agent.post(realm).header("content-type", "application/x-www-form-urlencoded");
                request.send(form.as_bytes()).map_err(|error| fail(&error))?
            }
            credentials => {
                let joint = if realm.contains('?') { '&' } else { '?' };
                let mut request = self.agent.get(format!("{realm}{joint}{query}"));
                if let Some(basic) = auth::basic(credentials.as_ref()) {
                    request = request.header("authorization", basic);
                }
                request.call().map_err(|error| fail(&error))?
            }
        };
        if !response.status().is_success() {
            return Err(self.status(&mut response));
        }
        let text = response.body_mut().with_config().limit(1 << 20).read_to_vec().map_err(|error| fail(&error))?;
        let token: Option<Token> = serde_json::from_slice(&text).ok();
        let token = token.and_then(Token::into_text);
        token.map(|token| format!("Bearer {token}")).ok_or_else(|| self.protocol(format!("{realm} gave no token")))
    }

    pub(super) fn unreachable(&self, error: &ureq::Error) -> RegistryError {
        let reason = match error {
            ureq::Error::HostNotFound => "its name does not resolve".to_owned(),
            ureq::Error::Timeout(_) => TIMED_OUT.to_owned(),
            ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
            other => other.to_string(),
        };
        RegistryError::Unreachable { registry: self.host.clone(), reason }
    }

    pub(super) fn protocol(&self, reason: String) -> RegistryError {
        RegistryError::Protocol { action: self.action, reference: self.reference.familiar(), reason }
    }

    /// The error an answer stands for, with what the registry said.
    pub(super) fn status(&self, response: &mut Response<Body>) -> RegistryError {
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let text = response.body_mut().with_config().limit(64 << 10).read_to_vec().unwrap_or_default();
        let said = serde_json::from_slice::<serde_json::Value>(&text).ok().and_then(|value| {
            let first = value.get("errors")?.get(0)?;
            let part = |name: &str| first.get(name).and_then(|part| part.as_str()).filter(|part| !part.is_empty());
            Some(part("message").or(part("code"))?.chars().filter(|char| !char.is_control()).take(300).collect())
        });
        let detail = said.map_or_else(String::new, |said: String| format!(": {said}"));
        let (action, reference, registry) = (self.action, self.reference.familiar(), self.host.clone());
        match status {
            401 | 403 => RegistryError::Denied { action, reference, registry, detail },
            404 if action == "pull" => RegistryError::NotFound(reference),
            _ => RegistryError::Status { action, reference, registry, status, detail, retry_after },
        }
    }
}

fn agent(local: bool) -> Agent {
    let tls = TlsConfig::builder().root_certs(root_certificates()).build();
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .tls_config(tls)
        .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
        // What a blob is compressed with is the image's affair.
        .accept_encoding(ureq::config::AutoHeaderValue::None)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(stall()))
        .timeout_per_read(Some(stall()))
        .timeout_per_write(Some(stall()))
        .max_idle_connections_per_host(8);
    if local {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

/// The system's certificates, or the bundle SSL_CERT_FILE names: where a proxy reads along, its authority is among them.
fn root_certificates() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|name| !name.is_empty());
    let paths = named.into_iter().map(std::path::PathBuf::from).chain(BUNDLES.map(Into::into));
    for path in paths {
        let Ok(pem) = std::fs::read(path) else { continue };
        let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if !certificates.is_empty() {
            return RootCerts::new_with_certs(&certificates);
        }
    }
    RootCerts::WebPki
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether a host, with or without a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
