//! What the rest of the trainer knows of a model: the network, what it takes, and what is asked of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::model_config::Dropouts;
use tuneboard::spec::{Family, Pool};

use super::WeightFiles;
use super::adapter::Adapter;
use super::builder::Builder;
use super::lora::Lora;
use super::parameters::Parameter;
use super::unpadded::Unpadded;
use crate::error::TrainError;

/// An encoder that turns texts into vectors, and a head that turns vectors into class scores.
pub trait Network {
    /// The text vectors `[batch, width]`, 32-bit: encoder and pooling. They do not depend on the head,
    /// so those of a frozen encoder can be kept.
    ///
    /// # Errors
    /// What libtorch reports.
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError>;

    /// Class scores `[batch, classes]`, 32-bit, of text vectors. Where the head says something of each token, the
    /// vectors are `[batch, length, width]` and the scores `[batch, length, classes]`.
    ///
    /// # Errors
    /// What libtorch reports.
    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError>;

    /// What the encoder gives before pooling, by transformers' names: `last_hidden_state`
    /// `[batch, length, hidden]` and what else there is.
    ///
    /// # Errors
    /// What libtorch reports.
    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError>;

    /// Where batches leave what the next one goes on from; `None` for a network that carries nothing.
    fn memory(&self) -> Option<&Memory> {
        None
    }

    /// True if a text's vector depends on the texts beside it or before it, so that it cannot be kept.
    fn depends_on_batch(&self) -> bool {
        false
    }

    /// Class scores of texts.
    ///
    /// # Errors
    /// What libtorch reports.
    fn forward(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.logits(&self.vectors(inputs, mode)?, mode)
    }
}

/// What a network carries from one batch to the next. It is empty where a pass over texts begins.
#[derive(Debug, Default)]
pub struct Memory(RefCell<Vec<Tensor>>);

impl Memory {
    /// What there is, and leaves nothing.
    pub fn take(&self) -> Vec<Tensor> {
        self.0.take()
    }

    /// Keeps this for the next batch.
    pub fn put(&self, tensors: Vec<Tensor>) {
        self.0.replace(tensors);
    }

    /// What there is, by names for a checkpoint.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let tensors = self.0.borrow();
        let named = tensors.iter().enumerate();
        named.map(|(index, x)| (format!("carried.{index}"), x.shallow_clone())).collect()
    }

    /// Takes up what [`Self::state`] gave.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn restore(
        &self,
        state: &BTreeMap<String, Tensor>,
        device: Device,
    ) -> Result<(), TrainError> {
        let named = (0..).map_while(|index| state.get(&format!("carried.{index}")));
        self.put(named.map(|x| x.f_to_device(device)).collect::<Result<_, _>>()?);
        Ok(())
    }
}

/// One batch of texts, as ids.
#[derive(Debug)]
pub struct Inputs {
    /// `[batch, length]`, int64.
    pub ids: Tensor,
    /// `[batch, length]`, int64, 1 for real tokens; `None` = nothing is padded.
    pub mask: Option<Tensor>,
    /// `[batch, length]`, int64; `None` = all 0.
    pub segments: Option<Tensor>,
    /// `[batch, length]`, int64; `None` = 0, 1, 2, .. in each row, padding included.
    pub positions: Option<Tensor>,
    /// Word embeddings may have sparse gradients: those of these ids alone.
    pub by_row: bool,
    /// The same batch without padding, for networks that can do without.
    pub unpadded: Option<Unpadded>,
}

/// How a pass through a network is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Number format of the matrix products: `Float` or `BFloat16`.
    pub kind: Kind,
    /// With dropout.
    pub training: bool,
}

impl Mode {
    /// A pass that learns.
    pub fn training(kind: Kind) -> Self {
        Self { kind, training: true }
    }

    /// A pass that changes nothing at random.
    pub fn inference(kind: Kind) -> Self {
        Self { kind, training: false }
    }

    /// A transformer's dropouts: none outside training.
    pub fn drops(self, dropouts: Dropouts) -> Dropouts {
        if self.training { dropouts } else { Dropouts::default() }
    }
}

/// A model that is ready to train.
pub struct Loaded {
    /// Which of the families it belongs to.
    pub family: Family,
    /// Encoder and head.
    pub network: Box<dyn Network>,
    /// All its weights that may learn, in a fixed order.
    pub parameters: Vec<Parameter>,
    /// What stays as it is beside an adapter: names and how many numbers each has.
    pub frozen: Vec<(String, u64)>,
    /// `adapter_config.json`, if an adapter learns.
    pub adapter: Option<Value>,
    /// What ids it takes.
    pub limits: Limits,
    /// How short rows of a batch are filled.
    pub padding: Padding,
    /// How token vectors become a text vector; never `auto`.
    pub pool: Pool,
    /// `config.json` as it stands, for the checkpoints' own.
    pub json: Value,
    /// True if the head came from the checkpoint.
    pub head_given: bool,
}

impl Loaded {
    /// Puts the classes of the head in another order: class `i` becomes what was class `order[i]`. The last layer
    /// of a head is the last that is made.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn reorder_head(&self, order: &[i64]) -> Result<(), TrainError> {
        let head = || self.parameters.iter().filter(|p| p.is_head && p.learns);
        let last = head().next_back().and_then(|p| p.name.rsplit_once('.')).map(|(layer, _)| layer);
        let of_layer = |p: &&Parameter| p.name.rsplit_once('.').map(|(layer, _)| layer) == last;
        for parameter in head().filter(of_layer) {
            let order = Tensor::f_from_slice(order)?.f_to_device(parameter.tensor.device())?;
            let tensor = parameter.tensor.f_detach()?.f_index_select(0, &order)?;
            parameter.set(&tensor)?;
        }
        Ok(())
    }
}

/// What an encoder can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Ids are below it.
    pub vocabulary: i64,
    /// The longest text, in tokens.
    pub positions: i64,
    /// Position ids that are given are below it: the rows of their table, where some are no token's.
    pub places: i64,
    /// Segment ids are below it.
    pub segments: i64,
}

impl Limits {
    /// Where every row of the positions' table is a token's.
    pub fn plain(vocabulary: i64, positions: i64, segments: i64) -> Self {
        Self { vocabulary, positions, places: positions, segments }
    }
}

/// How short rows of a batch are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// The id that fills.
    pub id: i64,
    /// The side that is filled.
    pub side: Side,
    /// Filled up to that many tokens; `None` = as the longest row of the batch.
    pub length: Option<usize>,
}

/// Left or right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    /// Before the text.
    Left,
    /// Behind the text.
    #[default]
    Right,
}

/// Where the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The folder's `model.safetensors`.
    Checkpoint,
    /// Drawn anew, by transformers' rules; seed libtorch first.
    Random,
}

impl Start {
    /// The weights of `folder` where they are to be read; `anchor` as in [`WeightFiles::open`].
    ///
    /// # Errors
    /// As there.
    pub fn files(self, folder: &Path, anchor: &str) -> Result<Option<WeightFiles>, TrainError> {
        match self {
            Self::Checkpoint => WeightFiles::open(folder, anchor).map(Some),
            Self::Random => Ok(None),
        }
    }
}

/// What a text's vector depends on beside the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// A batch goes on from the state of the one before it (AllenNLP's `stateful`).
    pub stateful: bool,
    /// Each layer is normalised over all words of a batch before the mix (AllenNLP's `do_layer_norm`).
    pub layer_norm: bool,
}

/// What is asked of a model beside its config.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where the weights come from.
    pub start: Start,
    /// Classes of the head; `None` = as many as the checkpoint's own head has, or else 2.
    pub classes: Option<usize>,
    /// Whether the head says something of each token instead of a text.
    pub of_tokens: bool,
    /// False if the head is new even where the checkpoint has one of that many classes.
    pub keep_head: bool,
    /// How token vectors become a text vector.
    pub pool: Pool,
    /// Tokens per text where the head needs to know (`pool=flatten`); `None` = as the checkpoint's own
    /// head has it.
    pub length: Option<usize>,
    /// Dropout of encoder and head; `None` = as the config says.
    pub dropout: Option<f64>,
    /// How an ELMo goes through its texts; `None` = as the checkpoint's config says.
    pub elmo: Option<Context>,
    /// Where the weights lie.
    pub device: Device,
    /// Number format of the matrix products: `Float` or `BFloat16`.
    pub kind: Kind,
    /// What is put beside the weights to learn in their stead.
    pub lora: Option<Lora>,
    /// The adapter that comes of it.
    pub adapter: Option<Rc<Adapter>>,
}

impl Request {
    /// The weights of `folder` where they are to be read; `anchor` as in [`WeightFiles::open`]. An adapter's head
    /// takes the place of the one there.
    ///
    /// # Errors
    /// As there.
    pub fn files(&self, folder: &Path, anchor: &str) -> Result<Option<WeightFiles>, TrainError> {
        let mut files = self.start.files(folder, anchor)?;
        if let (Some(files), Some(adapter)) = (&mut files, &self.adapter) {
            let head = adapter.head.iter();
            files.put(head.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())));
        }
        Ok(files)
    }

    /// Makes a model's parameters; see [`Builder::new`].
    pub fn builder<'a>(
        &self,
        family: Family,
        files: Option<&'a WeightFiles>,
        prefix: &'static str,
        std: f64,
    ) -> Builder<'a> {
        Builder::new(files, prefix, std, (self.device, self.kind))
            .with(self.adapter.as_ref(), family.row().lora)
    }

    /// The checkpoint as it is, head and all.
    pub fn as_saved(device: Device, kind: Kind) -> Self {
        Self {
            start: Start::Checkpoint,
            classes: None,
            of_tokens: false,
            keep_head: true,
            pool: Pool::Auto,
            length: None,
            dropout: None,
            elmo: None,
            device,
            kind,
            lora: None,
            adapter: None,
        }
    }
}
