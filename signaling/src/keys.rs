//! Keys from files, and `sampan token`.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use access::{Claims, GrantClaims, SigningKey, VerifyingKeys};
use anyhow::{Context, anyhow};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use signaling::server::{Secret, Url, Webhooks};

use crate::cli::{PublishSource, TokenArgs};

/// What the server itself signs tokens with, when its API is asked for one: the first secret. None: there are public keys alone.
pub fn signing(secrets: &[PathBuf]) -> anyhow::Result<Option<SigningKey>> {
    let Some(file) = secrets.first() else { return Ok(None) };
    let key = SigningKey::secret(&secret(file)?);
    Ok(Some(key.with_context(|| format!("--token-secret-file {}", file.display()))?))
}

/// None: nobody is told anything.
pub fn webhooks(targets: &[Url], secret_file: Option<&Path>) -> anyhow::Result<Option<Webhooks>> {
    let (false, Some(file)) = (targets.is_empty(), secret_file) else { return Ok(None) };
    let secret = Secret::new(&secret(file)?);
    let secret = secret.with_context(|| format!("--webhook-secret-file {}", file.display()))?;
    Ok(Some(Webhooks { targets: targets.to_vec(), secret }))
}

/// None: no key is given.
pub fn verifying(secrets: &[PathBuf], publics: &[PathBuf]) -> anyhow::Result<Option<VerifyingKeys>> {
    let mut keys = VerifyingKeys::default();
    for file in secrets {
        let added = keys.add_secret(&secret(file)?);
        added.with_context(|| format!("--token-secret-file {}", file.display()))?;
    }
    for file in publics {
        let key = SubjectPublicKeyInfoDer::from_pem_file(file)
            .map_err(|error| anyhow!("--token-public-key {}: {error}", file.display()))?;
        keys.add_public(&key).with_context(|| format!("--token-public-key {}", file.display()))?;
    }
    Ok((!keys.is_empty()).then_some(keys))
}

/// The file without surrounding white space: editors end files with a line feed.
fn secret(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(bytes.trim_ascii().to_vec())
}

pub fn token(args: &TokenArgs) -> anyhow::Result<String> {
    let key = match (&args.secret_file, &args.private_key) {
        (Some(file), _) => {
            SigningKey::secret(&secret(file)?).with_context(|| format!("--secret-file {}", file.display()))?
        }
        (None, Some(file)) => {
            let key = PrivatePkcs8KeyDer::from_pem_file(file)
                .map_err(|error| anyhow!("--private-key {}: {error}", file.display()))?;
            SigningKey::private(key.secret_pkcs8_der())
                .with_context(|| format!("--private-key {}", file.display()))?
        }
        (None, None) => return Err(anyhow!("--secret-file or --private-key is missing")),
    };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let mut id = [0; 12];
    getrandom::fill(&mut id).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let claims = Claims {
        room: args.room.clone(),
        sub: args.identity.clone(),
        name: args.name.clone(),
        exp: now_s.saturating_add(args.seconds),
        nbf: None,
        jti: Some(id.iter().map(|byte| format!("{byte:02x}")).collect()),
        role: args.role.map(|role| role.role().name().to_owned()),
        wait: args.wait,
        grants: grants(args),
    };
    Ok(key.sign(&claims)?)
}

fn grants(args: &TokenArgs) -> GrantClaims {
    if args.admin {
        return GrantClaims { admin: true, ..GrantClaims::default() };
    }
    let everything = GrantClaims::participant().publish;
    let named = args.publish.iter().filter_map(|source| match source {
        PublishSource::Microphone => Some("microphone"),
        PublishSource::Camera => Some("camera"),
        PublishSource::Screen => Some("screen"),
        PublishSource::ScreenAudio => Some("screen_audio"),
        PublishSource::None => None,
    });
    // Besides what a role may do only what is named.
    let is_named = args.role.is_some();
    let publish = if args.hidden {
        Vec::new()
    } else if args.publish.is_empty() && !is_named {
        everything
    } else {
        named.map(str::to_owned).collect()
    };
    let &TokenArgs { moderate, hidden, record, .. } = args;
    let (subscribe, data) = (!args.no_subscribe && !is_named, !args.no_data && !is_named);
    GrantClaims { join: true, publish, subscribe, data, moderate, hidden, record, admin: false }
}
