//! Samples a connection's tables for `hoop classify`: dials, has the order recorded, and leaves tagged columns out.

use crate::{
    api::{Sampler, SamplerError},
    mask::{DetectedClass, Detectors},
    model::{ConnectionKind, ConnectionName, Principal},
    record::{GatewayEvent, OwnPurpose},
    session::Surroundings,
    upstream::{self, Survey, SurveyLimits, SurveyOrder},
};

/// Samples with the gateway's own login, one connection at a time.
#[derive(Debug)]
pub(super) struct UpstreamSampler {
    surroundings: Surroundings,
    busy: tokio::sync::Mutex<()>,
}

impl UpstreamSampler {
    pub(super) fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, busy: tokio::sync::Mutex::new(()) }
    }

    async fn survey(&self, who: &Principal, connection: &ConnectionName) -> Result<Survey, SamplerError> {
        let _alone = self.busy.lock().await;
        let environment = self.surroundings.borrow().clone();
        let served = environment.connections.get(connection.as_str());
        let served = served.ok_or_else(|| SamplerError("there is no such connection".to_owned()))?;
        if served.facts.kind != ConnectionKind::Postgres {
            return Err(SamplerError("only tables of databases are sampled".to_owned()));
        }
        let login = served.own_login().await.map_err(|error| SamplerError(error.to_string()))?;
        let wire = upstream::dial(&served.target).await.map_err(|error| SamplerError(error.to_string()))?;
        let active = DetectedClass::ALL.into_iter().chain(environment.detectors.classes());
        let idle = environment.detectors.idle();
        let detectors: Detectors = active.fold(idle, |all, class| all.with(class, class.default_function()));
        let event = GatewayEvent::Sampled { who: who.clone(), connection: connection.clone() };
        let order = SurveyOrder { wire, login, limits: SurveyLimits::default(), detectors };
        let order = environment.recorder.own(&event, OwnPurpose::Classify, order).await;
        let order = order.map_err(|error| SamplerError(format!("it cannot be recorded: {error}")))?;
        let mut survey = Survey::read(order).await.map_err(|error| SamplerError(error.to_string()))?;
        let masking = &environment.masking;
        survey.columns.retain(|one| masking.tags(&served.facts, &one.schema, &one.table, &one.column).is_empty());
        Ok(survey)
    }
}

impl Sampler for UpstreamSampler {
    fn sample<'sampler>(
        &'sampler self,
        who: &'sampler Principal,
        connection: &'sampler ConnectionName,
    ) -> crate::api::Sampling<'sampler> {
        Box::pin(self.survey(who, connection))
    }
}
