mod adapted;

use tch::{Device, Kind, Tensor};

use self::adapted::Adapted;
use super::WeightFiles;
use super::adapter::PREFIX;
use super::lora::Learning;
use super::parameters::{Fresh, Leaf, Parameter};
use crate::error::TrainError;
use crate::native;

/// Makes the parameters of a model one by one, from a checkpoint or fresh, and keeps the list.
pub struct Builder<'a> {
    /// Where the weights come from; `None` = all fresh.
    pub files: Option<&'a WeightFiles>,
    /// Before the names of the encoder's weights in the files that are written: `bert.`.
    pub prefix: &'static str,
    /// Standard deviation of fresh weights.
    pub std: f64,
    /// Where the weights lie.
    pub device: Device,
    /// Number format of the leaves that only matrix products take.
    pub kind: Kind,
    /// All made so far that may learn.
    pub parameters: Vec<Parameter>,
    /// What is told of passes to the layers that are adapted.
    pub learning: Learning,
    adapted: Adapted,
}

impl<'a> Builder<'a> {
    /// Takes weights from `files`; `prefix` stands before the encoder's in the files that are written, `std` is
    /// the spread of fresh ones.
    pub fn new(
        files: Option<&'a WeightFiles>,
        prefix: &'static str,
        std: f64,
        (device, kind): (Device, Kind),
    ) -> Self {
        let (learning, adapted) = (Learning::default(), Adapted::default());
        Self { files, prefix, std, device, kind, parameters: Vec::new(), learning, adapted }
    }

    /// As `encoder`, for a large table that is looked up: where it stays as it is, as short as its file has it.
    ///
    /// # Errors
    /// As `encoder`.
    pub fn table(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        match self.beside() {
            Some(_) => self.frozen(name, shape, fresh, None),
            None => self.encoder(name, shape, fresh, depth),
        }
    }

    /// The encoder's weight `name` (without prefix); saved with it.
    ///
    /// # Errors
    /// The checkpoint lacks it or has it in another shape.
    pub fn encoder(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        if self.beside().is_some() {
            return self.frozen(name, shape, fresh, Some(Kind::Float));
        }
        let tensor = self.read(name, shape, fresh)?;
        self.keep(format!("{}{name}", self.prefix), tensor, depth, false)
    }

    /// As `encoder`, for weights of one shape that are used as one, each below the other; those with two
    /// axes, which only matrix products take, in the number format of products.
    ///
    /// # Errors
    /// As `encoder`.
    pub fn stacked(
        &mut self,
        names: &[String],
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let (rows, rest) = shape.split_first().map_or((1, shape), |(rows, rest)| (*rows, rest));
        let names: Vec<_> = names.iter().map(|name| (name.clone(), rows)).collect();
        self.stacked_rows(&names, rest, fresh, depth)
    }

    /// As `stacked`, for weights of as many rows as stand beside their names; `rest` are the other axes.
    ///
    /// # Errors
    /// As `encoder`.
    pub fn stacked_rows(
        &mut self,
        names: &[(String, i64)],
        rest: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let shape = |rows: i64| [&[rows], rest].concat();
        if self.beside().is_some() {
            let kind = if rest.is_empty() { Kind::Float } else { self.kind };
            let parts = names
                .iter()
                .map(|(name, rows)| self.frozen(name, &shape(*rows), fresh, Some(kind)))
                .collect::<Result<Vec<_>, _>>()?;
            return Ok(match &parts[..] {
                [one] => one.shallow_clone(),
                parts => Tensor::f_cat(parts, 0)?,
            });
        }
        let parts = names.iter().map(|(name, rows)| self.read(name, &shape(*rows), fresh));
        let master = match &parts.collect::<Result<Vec<_>, _>>()?[..] {
            [one] => one.shallow_clone(),
            parts => Tensor::f_cat(parts, 0)?,
        };
        let kind = native::weights(self.kind, self.device);
        let leaf = if rest.is_empty() || kind == Kind::Float {
            master.f_detach()?
        } else {
            master.f_to_kind(kind)?
        };
        let leaf = leaf.f_set_requires_grad(true)?;
        let mut first = 0;
        for (name, rows) in names {
            self.parameters.push(Parameter {
                name: format!("{}{name}", self.prefix),
                tensor: master.f_detach()?.f_narrow(0, first, *rows)?,
                leaf: Leaf { tensor: leaf.shallow_clone(), rows: Some((first, *rows)) },
                depth,
                is_head: false,
                learns: true,
            });
            first += rows;
        }
        Ok(leaf)
    }

    fn read(&self, name: &str, shape: &[i64], fresh: Fresh) -> Result<Tensor, TrainError> {
        let Some(files) = self.files else { return self.fresh(shape, fresh) };
        let tensor = files.get(name, shape, self.device)?;
        match (self.adapted.merging(), name.strip_suffix(".weight")) {
            (Some(adapter), Some(module)) => self.merged(adapter, module, tensor),
            _ => Ok(tensor),
        }
    }

    fn given_or_fresh(
        &self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        match self.files {
            Some(files) if given => files.get(name, shape, self.device),
            _ => self.fresh(shape, fresh),
        }
    }

    /// A weight of the head, from the checkpoint if `given`.
    ///
    /// # Errors
    /// The checkpoint has it in another shape.
    pub fn head(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        if self.beside().is_none() {
            let tensor = self.given_or_fresh(name, shape, fresh, given)?;
            return self.keep(name.to_owned(), tensor, 0, true);
        }
        // peft trains the modules of these names whole; one that is new would be lost if it were not kept.
        let is_peft_s = ["classifier.", "score."].iter().any(|module| name.starts_with(module));
        let is_kept = is_peft_s || !given || self.files.is_some_and(|files| files.is_put(name));
        if !is_kept {
            self.adapted.freeze(name, shape);
            return self.given_or_fresh(name, shape, fresh, given);
        }
        if !is_peft_s {
            self.adapted.keep_whole(name);
        }
        let tensor = self.given_or_fresh(name, shape, fresh, given)?;
        self.keep(format!("{PREFIX}{name}"), tensor, 0, true)
    }

    /// A figure of the head that is counted along the way, such as a running mean.
    ///
    /// # Errors
    /// As `head`.
    pub fn buffer(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = self.given_or_fresh(name, shape, fresh, given)?;
        let shared = tensor.shallow_clone();
        self.parameters.push(Parameter::buffer(name.to_owned(), tensor));
        Ok(shared)
    }

    /// A weight drawn anew.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn fresh(&self, shape: &[i64], fresh: Fresh) -> Result<Tensor, TrainError> {
        // Drawn on the CPU, so that a seed means the same weights on every device.
        let options = (Kind::Float, Device::Cpu);
        let tensor = match fresh {
            Fresh::Normal => Tensor::f_zeros(shape, options)?.f_normal_(0.0, self.std)?,
            Fresh::NormalTimes(factor) => {
                Tensor::f_zeros(shape, options)?.f_normal_(0.0, factor * self.std)?
            }
            Fresh::Uniform(bound) => Tensor::f_zeros(shape, options)?.f_uniform_(-bound, bound)?,
            Fresh::Words { padding } => {
                let words = self.fresh(shape, Fresh::Normal)?;
                let _ = words.f_select(0, padding)?.f_zero_()?;
                words
            }
            Fresh::Zeros => Tensor::f_zeros(shape, options)?,
            Fresh::Ones => Tensor::f_ones(shape, options)?,
        };
        Ok(tensor.f_to_device(self.device)?)
    }

    /// Adds a weight to the list; its name is that of the files that are written.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn keep(
        &mut self,
        name: String,
        tensor: Tensor,
        depth: u32,
        is_head: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = tensor.f_set_requires_grad(true)?;
        let shared = tensor.shallow_clone();
        let leaf = Leaf { tensor: tensor.shallow_clone(), rows: None };
        self.parameters.push(Parameter { name, tensor, leaf, depth, is_head, learns: true });
        Ok(shared)
    }
}
