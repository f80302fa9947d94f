use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::model_config::awd_lstm::AwdLstmConfig;

use super::AwdLstm;
use super::sentences::{SentenceEncoder, lay_out};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::layers::dropout;
use crate::model::parameters::Fresh;
use crate::model::{
    Builder, Family, FamilyExt, Inputs, Limits, Loaded, Mode, Network, Padding, Parameter, Request,
    Side,
};

/// ULMFiT's classifier. Reference: fastai `get_text_classifier`.
pub(super) struct Classifier {
    pub(super) encoder: SentenceEncoder,
    pub(super) blocks: Vec<Block>,
}

/// BatchNorm, dropout, linear without bias. Reference: fastai `LinBnDrop`.
pub(super) struct Block {
    norm: BatchNorm,
    p: f64,
    /// `[outputs, inputs]`.
    weight: Tensor,
}

/// Normalisation over the rows of a batch (Ioffe & Szegedy 2015), with PyTorch's numbers.
struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, TrainError> {
        // A single row has no variance: it is judged by the running figures and leaves them alone.
        let training = training && x.size().first() != Some(&1);
        let [weight, bias] = [Some(&self.weight), Some(&self.bias)];
        let [mean, var] = [Some(&self.running_mean), Some(&self.running_var)];
        Ok(x.f_batch_norm(weight, bias, mean, var, training, 0.1, 1e-5, true)?)
    }
}

impl Block {
    fn new(
        builder: &mut Builder,
        index: usize,
        [outputs, inputs]: [i64; 2],
        p: f64,
        given: bool,
    ) -> Result<Self, TrainError> {
        let name = |part: &str| format!("1.layers.{index}.{part}");
        let mut of_norm = |part: &str, fresh| builder.head(&name(part), &[inputs], fresh, given);
        let weight = of_norm("0.weight", Fresh::Ones)?;
        let bias = of_norm("0.bias", Fresh::Zeros)?;
        let mut buffer = |part: &str, fresh| builder.buffer(&name(part), &[inputs], fresh, given);
        let norm = BatchNorm {
            weight,
            bias,
            running_mean: buffer("0.running_mean", Fresh::Zeros)?,
            running_var: buffer("0.running_var", Fresh::Ones)?,
        };
        let fresh = Fresh::Uniform(1.0 / (inputs as f64).sqrt());
        let weight = builder.head(&name("2.weight"), &[outputs, inputs], fresh, given)?;
        Ok(Self { norm, p, weight })
    }
}

impl Network for Classifier {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let encoder = &self.encoder;
        let (ids, order) = lay_out(inputs, encoder.bptt, encoder.padding)?;
        let pooled = encoder.pool(&encoder.forward(&ids, mode)?)?;
        // Back into the order of `inputs`.
        Ok(pooled.f_index_select(0, &order.f_argsort(0, false)?)?)
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let mut x = vectors.shallow_clone();
        for (index, block) in self.blocks.iter().enumerate() {
            if index > 0 {
                x = x.f_relu()?;
            }
            x = block.norm.forward(&x, mode.training)?;
            x = dropout(x, if mode.training { block.p } else { 0.0 })?;
            x = x.f_linear(&block.weight, None::<&Tensor>)?;
        }
        Ok(x)
    }

    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        let (ids, order) = lay_out(inputs, self.encoder.bptt, self.encoder.padding)?;
        let encoded = self.encoder.forward(&ids, mode)?;
        let back = order.f_argsort(0, false)?;
        Ok(vec![("last_hidden_state", encoded.outputs.f_index_select(0, &back)?)])
    }
}

/// The dropout inside the head, before its last layer.
const HEAD_P: f64 = 0.1;

/// Reads an AWD-LSTM, a language model's or a classifier's, and puts ULMFiT's head on it; see
/// [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(folder: &Path, json: Value, request: &Request) -> Result<Loaded, TrainError> {
    let config = AwdLstmConfig::of(&json).map_err(|why| bad(folder, &why))?;
    let pool = Family::AwdLstm.pool_of(request.pool, None)?;
    let Assembled { classifier, parameters, head_given } = assemble(folder, &config, request)?;
    Ok(Loaded {
        family: Family::AwdLstm,
        network: Box::new(classifier),
        parameters,
        frozen: Vec::new(),
        adapter: None,
        limits: Limits::plain(config.vocab_sz, i64::MAX, 1),
        padding: Padding { id: config.pad_token, side: Side::Right, length: None },
        pool,
        json,
        head_given,
    })
}

/// A classifier and its weights.
pub(super) struct Assembled {
    pub(super) classifier: Classifier,
    pub(super) parameters: Vec<Parameter>,
    pub(super) head_given: bool,
}

pub(super) fn assemble(
    folder: &Path,
    config: &AwdLstmConfig,
    request: &Request,
) -> Result<Assembled, TrainError> {
    let files = request.start.files(folder, "encoder.weight")?;
    let last = config.lin_ftrs.len();
    let head = files.as_ref().and_then(|files| files.shape(&format!("1.layers.{last}.2.weight")));
    let had = head.and_then(|shape| shape.first().copied());
    let classes = request.classes.or(had).unwrap_or(2);
    let head_given = had == Some(classes) && request.keep_head;
    let dropouts = AwdLstmConfig::classifier(request.dropout);
    let mut builder = Builder::new(files.as_ref(), "0.module.", 0.0, (request.device, Kind::Float));
    let module = AwdLstm::new(&mut builder, config, dropouts)?;
    let mut widths = vec![3 * config.emb_sz];
    widths.extend(&config.lin_ftrs);
    widths.push(classes as i64);
    let shapes = widths.windows(2).filter_map(|pair| Some([*pair.last()?, *pair.first()?]));
    let blocks = shapes.enumerate().map(|(index, shape)| {
        let p = match index {
            0 => dropouts.output_p,
            _ => request.dropout.unwrap_or(HEAD_P),
        };
        Block::new(&mut builder, index, shape, p, head_given)
    });
    let blocks = blocks.collect::<Result<_, _>>()?;
    let encoder = SentenceEncoder {
        module,
        bptt: config.bptt,
        max_len: config.max_len,
        padding: config.pad_token,
    };
    let classifier = Classifier { encoder, blocks };
    Ok(Assembled { classifier, parameters: builder.parameters, head_given })
}
