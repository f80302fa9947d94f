//! Text vectors of a frozen encoder: computed once, used in every epoch, and by every run of a sweep
//! that has the same encoder.

use std::path::Path;

use tch::{Kind, Tensor};

use super::Encoded;
use crate::batch;
use crate::cache::Name;
use crate::error::TrainError;
use crate::model::{Mode, weights};
use crate::objective::Stop;

/// One vector for each row of the data.
pub struct Vectors {
    /// `[rows, width]`, 32-bit.
    all: Tensor,
}

impl Vectors {
    /// The vectors of some rows, `[rows, width]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn of(&self, rows: &[u32]) -> Result<Tensor, TrainError> {
        let rows: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(self.all.device())?;
        Ok(self.all.f_index_select(0, &rows)?)
    }
}

impl Encoded {
    /// Computes the vectors if nothing below the head ever learns, or reads them from the cache; false
    /// if `stop` asked for a stop first. An encoder that does not learn has no dropout either: it is the
    /// same function in every epoch.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn freeze(&mut self, stop: &Stop) -> Result<bool, TrainError> {
        let can_keep = self.is_frozen && !self.model.network.depends_on_batch();
        if can_keep && self.vectors.is_none() {
            self.vectors = self.compute_vectors(stop)?;
            return Ok(self.vectors.is_some());
        }
        Ok(true)
    }

    fn compute_vectors(&self, stop: &Stop) -> Result<Option<Vectors>, TrainError> {
        let name = self.vectors_name()?;
        let device = self.place.device;
        let rows = self.texts as i64;
        if let Some(all) = self
            .cache
            .get(&name)
            .and_then(|bytes| weights::from_bytes(&bytes, Path::new(&name)).ok())
        {
            let fits = |v: &&Tensor| v.size().first() == Some(&rows) && v.dim() == 2;
            if let Some(all) = all.get("vectors").filter(fits) {
                return Ok(Some(Vectors { all: all.f_to_device(device)? }));
            }
        }
        let _guard = tch::no_grad_guard();
        let every: Vec<u32> = (0..rows as u32).collect();
        let mode = Mode::inference(self.place.kind);
        let mut all: Option<Tensor> = None;
        for positions in batch::evaluation(&every, &self.tokens, self.evaluation_batch()) {
            if stop.asked() {
                return Ok(None);
            }
            let batch: Vec<u32> = positions.iter().map(|at| *at as u32).collect();
            let inputs = self.inputs(&batch)?;
            let vectors = self.model.network.vectors(&inputs, mode)?.f_to_kind(Kind::Float)?;
            let width = vectors.size2()?.1;
            let places: Vec<i64> = positions.iter().map(|at| *at as i64).collect();
            let places = Tensor::f_from_slice(&places)?.f_to_device(device)?;
            let all = match &mut all {
                Some(all) => all,
                None => all.insert(Tensor::f_zeros([rows, width], (Kind::Float, device))?),
            };
            let _ = all.f_index_copy_(0, &places, &vectors)?;
        }
        let Some(all) = all else { return Ok(None) };
        self.cache.put(&name, &weights::to_bytes(&[("vectors".to_owned(), all.shallow_clone())])?);
        Ok(Some(Vectors { all }))
    }

    /// A name made of what the vectors depend on: the encoder's weights and shape, the ids, and how the
    /// vectors are computed.
    fn vectors_name(&self) -> Result<String, TrainError> {
        let mut name = Name::new("vectors").part(&self.tokens.to_bytes());
        for parameter in self.model.parameters.iter().filter(|p| !p.is_head) {
            let tensor = [(parameter.name.clone(), parameter.tensor.shallow_clone())];
            name = name.part(&weights::to_bytes(&tensor)?);
        }
        let how = format!(
            "{} {} {} {}",
            env!("CARGO_PKG_VERSION"),
            self.model.pool,
            self.place.precision_name(),
            self.place.device.is_cuda()
        );
        Ok(name.part(self.model.json.to_string().as_bytes()).part(how.as_bytes()).finish())
    }
}
