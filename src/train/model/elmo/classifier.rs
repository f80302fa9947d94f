use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::model_config::elmo::{Options, VOCABULARY, WIDTH};

use super::bilm::{BiLm, States};
use super::source::Source;
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::layers::dropout;
use crate::model::parameters::Fresh;
use crate::model::{
    Builder, Context, Family, FamilyExt, Inputs, Limits, Loaded, Memory, Mode, Network, Padding,
    Request, Side, Start, pooling,
};

/// Of the mixed vectors, as in AllenNLP's `Elmo`.
const DROPOUT: f64 = 0.5;

/// Under these names a checkpoint's config keeps its [`Context`].
const STATEFUL: &str = "tuneboard_stateful";
const LAYER_NORM: &str = "tuneboard_layer_norm";

impl Context {
    fn of(config: &Value) -> Self {
        let is_set = |key| config.get(key).and_then(Value::as_bool).unwrap_or_default();
        Self { stateful: is_set(STATEFUL), layer_norm: is_set(LAYER_NORM) }
    }
}

/// The language model, the mean over a text's words, the mix of layers, dropout, linear. 32-bit
/// throughout.
struct Classifier {
    bilm: BiLm,
    /// Filled only if a batch goes on from the one before.
    memory: Option<Memory>,
    layer_norm: bool,
    mix: Mix,
    /// Weight `[classes, width]` and bias.
    head: [Tensor; 2],
    dropout: f64,
    layers: i64,
    width: i64,
}

/// `gamma * sum of softmax(scalars) * layer`. Reference: AllenNLP `ScalarMix`.
pub struct Mix {
    /// One number per layer.
    pub scalars: Vec<Tensor>,
    /// `[1]`
    pub gamma: Tensor,
}

impl Mix {
    /// Layers along axis 1, `[batch, layers, ..]` -> `[batch, ..]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, layers: &Tensor) -> Result<Tensor, TrainError> {
        let shares = Tensor::f_cat(&self.scalars, 0)?.f_softmax(0, Kind::Float)?;
        let mut shape = vec![1; layers.dim()];
        if let Some(place) = shape.get_mut(1) {
            *place = -1;
        }
        let mixed = layers.f_mul(&shares.f_view(&shape[..])?)?;
        Ok(mixed.f_sum_dim_intlist(&[1i64][..], false, None)?.f_mul(&self.gamma)?)
    }
}

/// 1 for the words between the one that begins and the one that ends a text. `[batch, words]`
///
/// # Errors
/// What libtorch reports.
pub fn inner(mask: &Tensor) -> Result<Tensor, TrainError> {
    let words = mask.size()[1];
    let next = mask.f_narrow(1, 1, words - 1)?.f_constant_pad_nd([0, 1])?;
    let _ = next.f_select(1, 0)?.f_zero_()?;
    Ok(next)
}

/// A layer `[batch, words, width]` with mean 0 and variance 1 over all numbers of real words, those that
/// begin and end a text included; `mask` is `[batch, words]`. Reference: AllenNLP `ScalarMix` with
/// `do_layer_norm`.
///
/// # Errors
/// What libtorch reports.
pub fn normalised(layer: &Tensor, mask: &Tensor) -> Result<Tensor, TrainError> {
    let real = mask.f_to_kind(Kind::Float)?.f_unsqueeze(-1)?;
    let count = real.f_sum(Kind::Float)?.f_mul_scalar(layer.size()[2])?;
    let mean = layer.f_mul(&real)?.f_sum(Kind::Float)?.f_div(&count)?;
    let apart = layer.f_sub(&mean)?;
    let variance = apart.f_mul(&real)?.f_square()?.f_sum(Kind::Float)?.f_div(&count)?;
    // A batch of equal numbers must not divide by 0.
    Ok(apart.f_div(&variance.f_add_scalar(1e-13)?.f_sqrt()?)?)
}

impl Classifier {
    /// Every layer's word vectors, and which words are real.
    fn layers(&self, inputs: &Inputs) -> Result<(Vec<Tensor>, Tensor), TrainError> {
        let (batch, ids) = inputs.ids.size2()?;
        let width = WIDTH as i64;
        if ids % width != 0 {
            return Err(TrainError::Input(format!(
                "ELMo takes {WIDTH} ids per word; {ids} ids are no whole number of words."
            )));
        }
        let characters = inputs.ids.f_view([batch, ids / width, width])?;
        let mask = characters.f_select(2, 0)?.f_gt(0)?.f_to_kind(Kind::Int64)?;
        // Every batch starts afresh unless asked otherwise: what a text is told to be must not depend on
        // its neighbours in an order that is shuffled, nor on how often it was asked.
        let carried = self.memory.as_ref().map(Memory::take).unwrap_or_default();
        let mut states = States::of(carried);
        let layers = self.bilm.forward(&characters, &mask, &mut states)?;
        if let Some(memory) = &self.memory {
            memory.put(states.into_tensors());
        }
        Ok((layers, mask))
    }
}

impl Network for Classifier {
    /// The mean of each layer, one behind the other.
    fn vectors(&self, inputs: &Inputs, _: Mode) -> Result<Tensor, TrainError> {
        let (layers, mask) = self.layers(inputs)?;
        let inner = inner(&mask)?;
        let means = layers.iter().map(|layer| {
            if self.layer_norm {
                pooling::mean(&normalised(layer, &mask)?, Some(&inner))
            } else {
                pooling::mean(layer, Some(&inner))
            }
        });
        Ok(Tensor::f_cat(&means.collect::<Result<Vec<_>, _>>()?, -1)?)
    }

    fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    fn depends_on_batch(&self) -> bool {
        self.memory.is_some() || self.layer_norm
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let p = if mode.training { self.dropout } else { 0.0 };
        let mixed = self.mix.forward(&vectors.f_view([-1, self.layers, self.width])?)?;
        let [weight, bias] = &self.head;
        Ok(dropout(mixed, p)?.f_linear(weight, Some(bias))?)
    }

    fn inside(&self, inputs: &Inputs, _: Mode) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        let (layers, _) = self.layers(inputs)?;
        let stacked = Tensor::f_stack(&layers, 1)?;
        let last = layers.last().map(Tensor::shallow_clone);
        let last = last.ok_or_else(|| TrainError::Failed("ELMo has no layers.".into()))?;
        Ok(vec![("last_hidden_state", last), ("layers", stacked)])
    }
}

/// Reads the folder of an ELMo; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(folder: &Path, mut json: Value, request: &Request) -> Result<Loaded, TrainError> {
    let options = Options::of(&json).map_err(|why| bad(folder, &why))?;
    let pool = Family::Elmo.pool_of(request.pool, None)?;
    let source = match request.start {
        Start::Checkpoint => Source::open(folder, &options)?,
        Start::Random => Source::none(),
    };
    let context = request.elmo.unwrap_or_else(|| Context::of(&json));
    if let Some(config) = json.as_object_mut() {
        for (key, is_set) in [(STATEFUL, context.stateful), (LAYER_NORM, context.layer_norm)] {
            config.remove(key);
            if is_set {
                config.insert(key.to_owned(), Value::Bool(true));
            }
        }
    }
    let (layers, width) = (options.layers(), options.width());
    let own = source.shape("classifier.weight").filter(|s| s.get(1) == Some(&width));
    let own = own.and_then(|shape| shape.first().copied());
    let classes = request.classes.map(|n| n as i64).or(own).unwrap_or(2);
    let head_given =
        request.keep_head && own == Some(classes) && source.has("classifier.bias", &[classes]);

    let mut builder = Builder::new(None, "elmo._elmo_lstm.", 0.05, (request.device, Kind::Float));
    let bilm = BiLm::new(&mut builder, &source, &options)?;
    let mut head = |name: &str, shape: &[i64], fresh| {
        source.head(&mut builder, name, shape, fresh, head_given)
    };
    let scalar = |i| format!("elmo.scalar_mix_0.scalar_parameters.{i}");
    let scalars = (0..layers).map(|i| head(&scalar(i), &[1], Fresh::Zeros));
    let mix = Mix {
        scalars: scalars.collect::<Result<_, _>>()?,
        gamma: head("elmo.scalar_mix_0.gamma", &[1], Fresh::Ones)?,
    };
    let head = [
        head("classifier.weight", &[classes, width], Fresh::Normal)?,
        head("classifier.bias", &[classes], Fresh::Zeros)?,
    ];
    Ok(Loaded {
        family: Family::Elmo,
        parameters: builder.parameters,
        frozen: Vec::new(),
        adapter: None,
        network: Box::new(Classifier {
            bilm,
            memory: context.stateful.then(Memory::default),
            layer_norm: context.layer_norm,
            mix,
            head,
            dropout: request.dropout.unwrap_or(DROPOUT),
            layers,
            width,
        }),
        limits: Limits::plain(VOCABULARY, i64::MAX, 1),
        padding: Padding { id: 0, side: Side::Right, length: None },
        pool,
        json,
        head_given,
    })
}
