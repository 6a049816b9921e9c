//! The site in force, and how another one takes its place: read, checked, its policy cases run, on record, then published.
//!
//! One change at a time. A decision is always made by policies and a connection of one version: a connection that a
//! change touches is another object with policies of its own, and the old one is taken out of service.

mod differ;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tokio::sync::watch;

use super::{GatewayError, ServedConnections, connections, detectors};
use crate::{
    api::{
        ApiConnection, SiteRefusal, SiteWork, Sites,
        types::{
            Change, NativeAddress, SiteApplied, SiteDifference, SiteOrigin, SiteProblem, SiteProblemKind, SiteStanding,
            SiteVersion,
        },
    },
    clock::WallClock,
    config::{Problem, Site, SiteFiles, check_development, check_production, needs_restart, ungranted},
    identity::Agents,
    mask::MaskKeys,
    model::{ConnectionName, Principal},
    policy::PolicySet,
    record::{GatewayEvent, Recorder},
    session::{Environment, Leases, Served, cases},
    store::{NewSiteVersion, SiteShelf, StoreError, ToolShelf},
    upstream::SshKeys,
};

/// What a change of the site needs of a running gateway.
pub(super) struct Parts {
    pub(super) start: Site,
    pub(super) dev: bool,
    pub(super) shelf: SiteShelf,
    pub(super) recorder: Recorder,
    pub(super) clock: WallClock,
    pub(super) tools: ToolShelf,
    pub(super) leases: Leases,
    pub(super) keys: Arc<MaskKeys>,
    pub(super) ssh: SshKeys,
    pub(super) agents: Agents,
    pub(super) native: BTreeMap<ConnectionName, NativeAddress>,
    pub(super) surroundings: watch::Sender<Arc<Environment>>,
    pub(super) policies: watch::Sender<PolicySet>,
    pub(super) listed: watch::Sender<Vec<ApiConnection>>,
}

/// The site in force; cheap to clone.
#[derive(Clone)]
pub struct LiveSite(Arc<Inner>);

struct Inner {
    parts: Parts,
    in_force: tokio::sync::Mutex<InForce>,
}

struct InForce {
    standing: Option<SiteStanding>,
    site: Site,
    /// The start folder as the operator had it read last: what applied sites may refer to.
    folder: Site,
}

/// Who wants a change, and why.
struct Wish {
    base: Option<u64>,
    origin: SiteOrigin,
    again: Option<u64>,
    by: Option<Principal>,
    message: Option<String>,
}

/// A site that may be put in force.
struct Plan {
    site: Site,
    difference: SiteDifference,
}

impl std::fmt::Debug for LiveSite {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LiveSite")
    }
}

/// Which version a gateway starts with: the last that was in force, unless the start folder changed since it was read.
/// The settings of the gateway itself stay the folder's.
pub(super) async fn settle(
    mut site: Site,
    shelf: &SiteShelf,
    recorder: &Recorder,
    clock: &WallClock,
) -> Result<(Site, Option<SiteStanding>), GatewayError> {
    let Some(root) = site.root.clone() else { return Ok((site, None)) };
    let digest = site.files.digest();
    let (last, folder) = shelf.last()?;
    if let (Some(last), true) = (&last, folder.is_some_and(|folder| folder.digest == digest)) {
        if last.digest != digest {
            let kept = shelf.find(last.version)?.map(|(_, files)| files).unwrap_or_default();
            let kept = read(kept, &root).map_err(|problems| unloadable(last, &problems))?;
            take_up(&mut site, kept);
        }
        return Ok((site, Some(last.clone())));
    }
    let event = GatewayEvent::SiteChanged {
        before: last.map_or(0, |last| last.version),
        origin: SiteOrigin::Folder.as_str(),
        again: None,
        by: None,
        message: None,
        digest: digest.clone(),
        policies: site.policies.version().to_string(),
        failed: None,
    };
    recorder.durable(recorder.gateway(&event)?).await?;
    let standing = shelf.add(&NewSiteVersion {
        origin: SiteOrigin::Folder,
        again: None,
        by: OPERATOR.to_owned(),
        message: None,
        at_millis: clock.unix_millis(),
        digest,
        policies: site.policies.version().to_string(),
        files: site.files.clone().into_map(),
    })?;
    Ok((site, Some(standing)))
}

/// Who a version is from that came with the start folder.
const OPERATOR: &str = "the gateway's operator";

fn read(files: BTreeMap<String, String>, root: &Path) -> Result<Site, Vec<Problem>> {
    Site::of(SiteFiles::sent(files)?, root)
}

/// What an applied site changes; everything else of `running` stays.
fn take_up(running: &mut Site, applied: Site) {
    running.gateway.export_rows = applied.gateway.export_rows;
    running.gateway.recordings.result_cap_bytes = applied.gateway.recordings.result_cap_bytes;
    let Site { root: _, gateway: _, connections, masking, agents, sources, policies, cases, files } = applied;
    (running.connections, running.masking, running.agents) = (connections, masking, agents);
    (running.sources, running.policies, running.cases, running.files) = (sources, policies, cases, files);
}

fn unloadable(last: &SiteStanding, problems: &[Problem]) -> GatewayError {
    let first = problems.first().map(|problem| format!("{}: {}", problem.file.display(), problem.message));
    GatewayError::Setting(format!(
        "version {} of the site, which {} applied, is in force and cannot be loaded any more: {}; change the start folder, \
         which then is in force",
        last.version,
        last.by,
        first.unwrap_or_default()
    ))
}

impl LiveSite {
    pub(super) fn new(parts: Parts, site: Site, standing: Option<SiteStanding>) -> Self {
        let in_force = InForce { standing, site, folder: parts.start.clone() };
        Self(Arc::new(Inner { parts, in_force: tokio::sync::Mutex::new(in_force) }))
    }

    /// Which version is in force; none for the built-in site.
    pub async fn standing(&self) -> Option<SiteStanding> {
        self.0.in_force.lock().await.standing.clone()
    }

    /// Reads the start folder again and puts it in force, as its operator asks by a signal.
    pub async fn reread(&self) -> Result<SiteApplied, Vec<SiteProblem>> {
        let parts = &self.0.parts;
        let root = parts.start.root.clone();
        let root = root.ok_or_else(|| vec![restart("the built-in site", "there is no folder to read again")])?;
        let (files, problems) = SiteFiles::read(&root);
        if !problems.is_empty() {
            return Err(problems.iter().map(|one| described(SiteProblemKind::Mistake, one)).collect());
        }
        let wish = Wish { base: None, origin: SiteOrigin::Folder, again: None, by: None, message: None };
        let changed = self.change(files.into_map(), wish).await;
        changed.map_err(|refusal| match refusal {
            SiteRefusal::Problems(problems) => problems,
            other @ (SiteRefusal::Superseded(_) | SiteRefusal::Unknown | SiteRefusal::Failed(_)) => {
                vec![restart("the site", &other.to_string())]
            }
        })
    }

    async fn change(&self, files: BTreeMap<String, String>, wish: Wish) -> Result<SiteApplied, SiteRefusal> {
        let mut in_force = self.0.in_force.lock().await;
        let base = in_force.standing.clone().ok_or_else(built_in)?;
        if wish.base.is_some_and(|thought| thought != base.version) {
            return Err(SiteRefusal::Superseded(Box::new(base)));
        }
        // What the operator writes into the folder is theirs to refer to.
        let folder = (wish.origin != SiteOrigin::Folder).then_some(&in_force.folder);
        let plan = self.plan(files, &in_force.site, folder, &base).await?;
        if !plan.difference.problems.is_empty() {
            return Err(SiteRefusal::Problems(plan.difference.problems));
        }
        let served = self.served(&plan.site, &plan.difference).await?;
        self.close_leases(&plan).await?;
        let is_folder = wish.origin == SiteOrigin::Folder;
        let standing = self.write_down(&plan.site, &base, wish).await?;
        let ended = self.publish(&plan.site, served, &plan.difference);
        // What was opened meanwhile was opened on what is gone now.
        if let Err(error) = self.close_leases(&plan).await {
            tracing::error!(%error, "what reviewers opened during a change of the site could not be closed");
        }
        tracing::info!(version = standing.version, by = standing.by, ended, "another version of the site is in force");
        if is_folder {
            in_force.folder = plan.site.clone();
        }
        take_up(&mut in_force.site, plan.site);
        in_force.standing = Some(standing.clone());
        let ended_sessions = u64::try_from(ended).unwrap_or(u64::MAX);
        Ok(SiteApplied { standing, difference: plan.difference, ended_sessions })
    }

    /// Reads and checks a site whole, and says what it would change.
    async fn plan(
        &self,
        files: BTreeMap<String, String>,
        running: &Site,
        folder: Option<&Site>,
        base: &SiteStanding,
    ) -> Result<Plan, SiteRefusal> {
        let inner = Arc::clone(&self.0);
        let (running, folder, base) = (running.clone(), folder.cloned(), base.clone());
        let planned = tokio::task::spawn_blocking(move || inner.parts.plan(files, &running, folder.as_ref(), base));
        planned.await.map_err(|ended| SiteRefusal::Failed(ended.to_string()))?
    }

    /// The connections of a plan, ready to be dialled; those that do not change stay the very same.
    async fn served(&self, site: &Site, difference: &SiteDifference) -> Result<ServedConnections, SiteRefusal> {
        let parts = &self.0.parts;
        let running = parts.surroundings.borrow().clone();
        let kept = |name: &ConnectionName| {
            let stays = !difference.ends.contains_key(name.as_str());
            running.connections.get(name.as_str()).filter(|_| stays).cloned()
        };
        let served =
            connections::serve(site, &kept, &parts.leases, parts.dev, &parts.clock, &parts.tools, &parts.ssh).await;
        served.map_err(|error| {
            let mut message = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                message = format!("{message}: {source}");
            }
            let fix = "give the gateway what connections.toml refers to".to_owned();
            let (file, kind) = ("connections.toml".to_owned(), SiteProblemKind::Unready);
            SiteRefusal::Problems(vec![SiteProblem { kind, file, line: 0, column: 0, message, fix }])
        })
    }

    /// What reviewers opened on a connection was opened on what they were shown: it does not outlive a change of it.
    async fn close_leases(&self, plan: &Plan) -> Result<(), SiteRefusal> {
        let desk = self.0.parts.surroundings.borrow().desk.clone();
        for changed in plan.difference.connections.iter().filter(|one| one.change != Change::Added) {
            let Ok(name) = ConnectionName::new(&changed.name) else { continue };
            desk.close_on(&name).await.map_err(|error| SiteRefusal::Failed(error.to_string()))?;
        }
        Ok(())
    }

    /// Who and why, in the record and then in the store, before anything of it is in force.
    async fn write_down(&self, site: &Site, base: &SiteStanding, wish: Wish) -> Result<SiteStanding, SiteRefusal> {
        let parts = &self.0.parts;
        let (digest, policies) = (site.files.digest(), site.policies.version().to_string());
        let event = |failed| GatewayEvent::SiteChanged {
            before: base.version,
            origin: wish.origin.as_str(),
            again: wish.again,
            by: wish.by.clone(),
            message: wish.message.clone(),
            digest: digest.clone(),
            policies: policies.clone(),
            failed,
        };
        let unrecorded = |error| SiteRefusal::Failed(format!("it cannot be recorded: {error}"));
        let noted = parts.recorder.gateway(&event(None)).map_err(unrecorded)?;
        parts.recorder.durable(noted).await.map_err(unrecorded)?;
        let new = NewSiteVersion {
            origin: wish.origin,
            again: wish.again,
            by: wish.by.as_ref().map_or_else(|| OPERATOR.to_owned(), |who| who.name.to_string()),
            message: wish.message.clone(),
            at_millis: parts.clock.unix_millis(),
            digest: digest.clone(),
            policies: policies.clone(),
            files: site.files.clone().into_map(),
        };
        let versions = parts.shelf.clone();
        let added =
            tokio::task::spawn_blocking(move || versions.add(&new)).await.map_err(|_ended| StoreError::Interrupted);
        added.and_then(|added| added).map_err(|error| {
            if let Err(error) = parts.recorder.gateway(&event(Some("it could not be stored".to_owned()))) {
                tracing::error!(%error, "that a site is not in force after all could not be recorded");
            }
            SiteRefusal::Failed(format!("it cannot be stored: {error}"))
        })
    }

    /// Puts a plan in force, and says how many live sessions end. In this order no decision mixes two versions: a new
    /// session finds each connection with policies of the same version, and a connection that goes gets no others.
    fn publish(&self, site: &Site, served: ServedConnections, difference: &SiteDifference) -> usize {
        let parts = &self.0.parts;
        let before = parts.surroundings.borrow().clone();
        parts.agents.replace(site.agents.clone());
        let gone: Vec<(Arc<Served>, &String)> = difference
            .ends
            .iter()
            .filter_map(|(name, why)| Some((Arc::clone(before.connections.get(name)?), why)))
            .collect();
        let stay: Vec<Arc<Served>> = served
            .iter()
            .filter(|(name, _)| !difference.ends.contains_key(*name))
            .map(|(_, one)| Arc::clone(one))
            .collect();
        let result_cap = site.gateway.recordings.result_cap_bytes;
        parts.surroundings.send_replace(Arc::new(Environment {
            masking: site.masking.clone(),
            detectors: detectors(site, Arc::clone(&parts.keys)),
            connections: served,
            export_rows: site.gateway.export_rows,
            result_cap_bytes: usize::try_from(result_cap).unwrap_or(usize::MAX),
            ..before.shared()
        }));
        for (served, why) in gone {
            served.retire(why);
        }
        let ended = before.registry.end_retired();
        for served in stay {
            served.publish(site.policies.clone());
        }
        parts.listed.send_replace(connections::listed(site, &parts.native, &parts.ssh));
        parts.policies.send_replace(site.policies.clone());
        ended
    }
}

impl Parts {
    fn plan(
        &self,
        files: BTreeMap<String, String>,
        running: &Site,
        folder: Option<&Site>,
        base: SiteStanding,
    ) -> Result<Plan, SiteRefusal> {
        let root = self.start.root.clone().ok_or_else(built_in)?;
        let mistakes = |problems: Vec<Problem>| {
            SiteRefusal::Problems(problems.iter().map(|one| described(SiteProblemKind::Mistake, one)).collect())
        };
        let site = read(files, &root).map_err(mistakes)?;
        let mut problems = self.restarts(&site, running, &root)?;
        let checked = if self.dev { check_development(&site) } else { check_production(&site) };
        problems.extend(checked.iter().map(|one| described(SiteProblemKind::Mistake, one)));
        if let Some(folder) = folder {
            let ungranted = ungranted(&site, folder, &self.start.gateway.references);
            problems.extend(ungranted.iter().map(|one| described(SiteProblemKind::Reference, one)));
        }
        let outcomes = cases::run(&site, self.clock.unix_seconds());
        problems.extend(cases::failures(&outcomes).into_iter().map(|failed| SiteProblem {
            kind: SiteProblemKind::Case,
            file: failed.file.display().to_string(),
            line: u64::try_from(failed.line).unwrap_or(0),
            column: 0,
            message: failed.message,
            fix: "correct the policies, or the case; `hoop policy test` runs them here".to_owned(),
        }));
        let cases = u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
        Ok(Plan { difference: differ::difference(running, &site, base, cases, problems), site })
    }

    /// What of a site only a restart can put in force.
    fn restarts(&self, site: &Site, running: &Site, root: &Path) -> Result<Vec<SiteProblem>, SiteRefusal> {
        // The flags of the command line stand over the files, on both sides alike.
        let started = Site::of(self.start.files.clone(), root);
        let started = started.map_err(|_changed| SiteRefusal::Failed("the start folder cannot be read".to_owned()))?;
        let settings = needs_restart(&started.gateway, &site.gateway).into_iter().map(|setting| {
            restart("gateway.toml", &format!("{setting} differs from what the gateway was started with"))
        });
        let listens = |site: &Site| -> BTreeMap<ConnectionName, _> {
            site.connections.iter().filter_map(|one| Some((one.name.clone(), one.native?))).collect()
        };
        let (before, after) = (listens(running), listens(site));
        let moved = after.iter().filter(|(name, listen)| before.get(*name) != Some(*listen));
        let moved = moved.map(|(name, _)| {
            restart("connections.toml", &format!("connection `{name}` would listen at another address than now"))
        });
        // Their logins are taken back by who made them, which a change would take away.
        let lenders = differ::changed_lenders(running, site).into_iter().map(|name| {
            restart("connections.toml", &format!("connection `{name}` makes logins for sessions, and would change"))
        });
        Ok(settings.chain(moved).chain(lenders).collect())
    }
}

fn restart(file: &str, message: &str) -> SiteProblem {
    SiteProblem {
        kind: SiteProblemKind::Restart,
        file: file.to_owned(),
        line: 0,
        column: 0,
        message: message.to_owned(),
        fix: "this needs a restart: change the folder that the gateway is started with, and start it again".to_owned(),
    }
}

fn described(kind: SiteProblemKind, problem: &Problem) -> SiteProblem {
    SiteProblem {
        kind,
        file: problem.file.display().to_string(),
        line: u64::try_from(problem.line).unwrap_or(0),
        column: u64::try_from(problem.column).unwrap_or(0),
        message: problem.message.clone(),
        fix: problem.fix.clone(),
    }
}

fn built_in() -> SiteRefusal {
    SiteRefusal::Problems(vec![restart("the built-in site", "this gateway was started without a site's folder")])
}

impl Sites for LiveSite {
    fn standing(&self) -> SiteWork<'_, SiteStanding> {
        Box::pin(async move { Self::standing(self).await.ok_or_else(built_in) })
    }

    fn versions(&self, limit: usize) -> SiteWork<'_, Vec<SiteStanding>> {
        Box::pin(async move { self.kept(move |shelf| shelf.list(limit)).await })
    }

    fn version(&self, version: u64) -> SiteWork<'_, SiteVersion> {
        Box::pin(async move {
            let found = self.kept(move |shelf| shelf.find(version)).await?;
            found.map(|(standing, files)| SiteVersion { standing, files }).ok_or(SiteRefusal::Unknown)
        })
    }

    fn compare(&self, files: BTreeMap<String, String>) -> SiteWork<'_, SiteDifference> {
        Box::pin(async move {
            let (running, folder, base) = {
                let in_force = self.0.in_force.lock().await;
                let base = in_force.standing.clone().ok_or_else(built_in)?;
                (in_force.site.clone(), in_force.folder.clone(), base)
            };
            Ok(self.plan(files, &running, Some(&folder), &base).await?.difference)
        })
    }

    fn apply<'site>(
        &'site self,
        by: &'site Principal,
        base: u64,
        message: Option<String>,
        files: BTreeMap<String, String>,
    ) -> SiteWork<'site, SiteApplied> {
        let by = Some(by.clone());
        let wish = Wish { base: Some(base), origin: SiteOrigin::Apply, again: None, by, message };
        Box::pin(self.change_to_its_end(files, wish))
    }

    fn roll_back<'site>(
        &'site self,
        by: &'site Principal,
        base: u64,
        version: Option<u64>,
        message: Option<String>,
    ) -> SiteWork<'site, SiteApplied> {
        Box::pin(async move {
            let version = version.or_else(|| base.checked_sub(1)).unwrap_or(0);
            let (_, files) = self.kept(move |shelf| shelf.find(version)).await?.ok_or(SiteRefusal::Unknown)?;
            let (origin, again, by) = (SiteOrigin::Rollback, Some(version), Some(by.clone()));
            self.change_to_its_end(files, Wish { base: Some(base), origin, again, by, message }).await
        })
    }
}

impl LiveSite {
    /// The same, whoever stops waiting for it: what is on record and stored is put in force.
    async fn change_to_its_end(&self, files: BTreeMap<String, String>, wish: Wish) -> Result<SiteApplied, SiteRefusal> {
        let site = self.clone();
        let changing = tokio::spawn(async move { Box::pin(site.change(files, wish)).await });
        changing.await.map_err(|ended| SiteRefusal::Failed(ended.to_string()))?
    }

    async fn kept<T: Send + 'static>(
        &self,
        look: impl FnOnce(&SiteShelf) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, SiteRefusal> {
        let versions = self.0.parts.shelf.clone();
        let found =
            tokio::task::spawn_blocking(move || look(&versions)).await.map_err(|_ended| StoreError::Interrupted);
        found.and_then(|found| found).map_err(|error| SiteRefusal::Failed(error.to_string()))
    }
}
