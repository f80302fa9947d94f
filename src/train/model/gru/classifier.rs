use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::model_config::gru::GruConfig;
use tuneboard::spec::Pool;

use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::family::written_pool;
use crate::model::layers::{Head, dropout};
use crate::model::parameters::Fresh;
use crate::model::recurrent::reverse;
use crate::model::{
    Builder, Family, FamilyExt, Inputs, Limits, Loaded, Mode, Network, Padding, Request, Side,
    pooling,
};

/// Word vectors, one gated recurrent layer in each direction (Cho et al. 2014, in PyTorch's form),
/// pooling, linear. 32-bit throughout.
struct Classifier {
    words: Tensor,
    forward: Direction,
    backward: Direction,
    head: Head,
    pool: Pool,
    dropout: f64,
    hidden: i64,
}

/// The weights of one direction, named as those of `torch.nn.GRU`: gates reset, update, new.
struct Direction([Tensor; 4]);

impl Direction {
    fn new(builder: &mut Builder, config: &GruConfig, suffix: &str) -> Result<Self, TrainError> {
        let (inputs, hidden) = (config.embedding_size, config.hidden_size);
        let mut make = |part: &str, shape: &[i64], fresh| {
            builder.encoder(&format!("gru.{part}_l0{suffix}"), shape, fresh, 0)
        };
        Ok(Self([
            make("weight_ih", &[3 * hidden, inputs], Fresh::Normal)?,
            make("weight_hh", &[3 * hidden, hidden], Fresh::Normal)?,
            make("bias_ih", &[3 * hidden], Fresh::Zeros)?,
            make("bias_hh", &[3 * hidden], Fresh::Zeros)?,
        ]))
    }

    /// `[batch, length, inputs]` -> `[batch, length, hidden]`, from left to right.
    fn run(&self, x: &Tensor, hidden: i64) -> Result<Tensor, TrainError> {
        let start = Tensor::f_zeros([1, x.size()[0], hidden], (Kind::Float, x.device()))?;
        Ok(x.f_gru(&start, &self.0, true, 1, 0.0, false, false, true)?.0)
    }
}

impl Classifier {
    /// `[batch, length, 2 * hidden]`. Each direction sees a text alone, not the padding behind it.
    fn hidden(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let p = if mode.training { self.dropout } else { 0.0 };
        let words = Tensor::f_embedding(&self.words, &inputs.ids, -1, false, false)?;
        let words = dropout(words, p)?;
        let mask = inputs.mask.as_ref();
        let forward = self.forward.run(&words, self.hidden)?;
        let backward = self.backward.run(&reverse(&words, mask)?, self.hidden)?;
        Ok(Tensor::f_cat(&[forward, reverse(&backward, mask)?], -1)?)
    }
}

impl Network for Classifier {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        pooling::pool(self.pool, &self.hidden(inputs, mode)?, inputs.mask.as_ref())
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let p = if mode.training { self.dropout } else { 0.0 };
        self.head.forward(&dropout(vectors.shallow_clone(), p)?)
    }

    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        Ok(vec![("last_hidden_state", self.hidden(inputs, mode)?)])
    }
}

/// Reads the folder of a recurrent classifier; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(folder: &Path, json: Value, request: &Request) -> Result<Loaded, TrainError> {
    let config = GruConfig::of(&json).map_err(|why| bad(folder, &why))?;
    let padding = config.pad_token_id;
    let files = request.files(folder, "gru.weight_hh_l0")?;
    let width = 2 * config.hidden_size;
    let head = files.as_ref().and_then(|files| files.shape("classifier.weight"));
    let head = head.filter(|shape| shape.get(1) == Some(&(width as usize)));
    let classes = request.classes.or(head.as_ref().and_then(|shape| shape.first().copied()));
    let classes = classes.unwrap_or(2);
    let head = head.filter(|s| s.first() == Some(&classes) && request.keep_head);
    let trained_on = head.and(written_pool(&json));
    let pool = Family::Gru.pool_of(request.pool, trained_on)?;
    let head_given = trained_on == Some(pool);

    let mut builder = request.builder(Family::Gru, files.as_ref(), "", config.initializer_range);
    let shape = [config.vocab_size, config.embedding_size];
    let words = builder.encoder("embedding.weight", &shape, Fresh::Words { padding }, 1)?;
    let forward = Direction::new(&mut builder, &config, "")?;
    let backward = Direction::new(&mut builder, &config, "_reverse")?;
    let fresh = (Fresh::Normal, Some(Fresh::Zeros));
    let shape = [classes as i64, width];
    let head = Head::new(&mut builder, "classifier", shape, fresh, head_given)?;
    Ok(Loaded {
        family: Family::Gru,
        parameters: builder.parameters,
        frozen: Vec::new(),
        adapter: None,
        network: Box::new(Classifier {
            words,
            forward,
            backward,
            head,
            pool,
            dropout: request.dropout.unwrap_or(config.dropout),
            hidden: config.hidden_size,
        }),
        limits: Limits::plain(config.vocab_size, i64::MAX, 1),
        padding: Padding { id: padding, side: Side::Right, length: None },
        pool,
        json,
        head_given,
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::make;
    use super::*;
    use crate::model::{self, Start};

    /// Both directions against libtorch's own bidirectional layer, and padding against none.
    #[test]
    fn it_is_torchs_bidirectional_gru_and_padding_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), ["a b c d e f g", "g f e d c b a"], false).unwrap();
        let json = model::config::read(folder.path()).unwrap();
        let request = Request {
            of_tokens: false,
            start: Start::Random,
            classes: Some(3),
            ..Request::as_saved(Device::Cpu, Kind::Float)
        };
        let loaded = load(folder.path(), json, &request).unwrap();
        let ids = Tensor::from_slice(&[2_i64, 3, 4, 5, 6, 0, 0, 0]).view([2, 4]);
        let mask = Tensor::from_slice(&[1_i64, 1, 1, 1, 1, 0, 0, 0]).view([2, 4]);
        let together = Inputs {
            ids: ids.shallow_clone(),
            mask: Some(mask),
            segments: None,
            positions: None,
            by_row: false,
            unpadded: None,
        };
        let mode = Mode::inference(Kind::Float);
        let got = loaded.network.inside(&together, mode).unwrap().remove(0).1;

        let weights: Vec<&Tensor> = loaded
            .parameters
            .iter()
            .filter(|p| p.name.contains("gru."))
            .map(|p| &p.tensor)
            .collect();
        let words = Tensor::embedding(&loaded.parameters[0].tensor, &ids, -1, false, false);
        let start = Tensor::zeros([2, 1, 128], (Kind::Float, Device::Cpu));
        for (row, length) in [(0, 4), (1, 1)] {
            let alone = words.narrow(0, row, 1).narrow(1, 0, length);
            let want = alone.gru(&start, &weights, true, 1, 0.0, false, true, true).0;
            let gap = (got.narrow(0, row, 1).narrow(1, 0, length) - want).abs().max();
            assert!(gap.double_value(&[]) < 1e-6, "row {row}: {gap:?}");
        }
        let short = Inputs {
            ids: ids.narrow(0, 1, 1).narrow(1, 0, 1),
            mask: None,
            segments: None,
            positions: None,
            by_row: false,
            unpadded: None,
        };
        let alone = loaded.network.forward(&short, mode).unwrap();
        let both = loaded.network.forward(&together, mode).unwrap();
        assert!((alone.get(0) - both.get(1)).abs().max().double_value(&[]) < 1e-6);
    }
}
