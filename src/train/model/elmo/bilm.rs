use tch::{Kind, Tensor};
use tuneboard::model_config::elmo::{Lstm, Options};

use super::source::Source;
use super::token_encoder::TokenEncoder;
use crate::error::TrainError;
use crate::model::builder::Builder;
use crate::model::parameters::Fresh;
use crate::model::recurrent::reverse;

/// The language model in both directions. Reference: AllenNLP `_ElmoBiLm` and `ElmoLstm`.
pub struct BiLm {
    tokens: TokenEncoder,
    /// Forward and backward cell of each layer.
    layers: Vec<[Cell; 2]>,
    skip: bool,
}

/// What the cells remember from one call to the next; starts at zero.
///
/// AllenNLP carries it over even between unrelated sentences: row `i` of a batch goes on from row `i` of
/// the one before, rows beyond the old batch start at zero, and rows beyond the new one keep theirs.
#[derive(Debug, Default)]
pub struct States(Vec<[State; 2]>);

impl States {
    /// From what [`Self::into_tensors`] gave.
    pub fn of(tensors: Vec<Tensor>) -> Self {
        let mut tensors = tensors.into_iter();
        let mut state = || Some(State { output: tensors.next()?, memory: tensors.next()? });
        Self(std::iter::from_fn(|| Some([state()?, state()?])).collect())
    }

    /// Layer by layer, forward before backward, output before memory.
    pub fn into_tensors(self) -> Vec<Tensor> {
        let states = self.0.into_iter().flatten();
        states.flat_map(|state| [state.output, state.memory]).collect()
    }
}

/// Output and memory of one cell.
#[derive(Debug)]
struct State {
    /// `[batch, projection]`
    output: Tensor,
    /// `[batch, dim]`
    memory: Tensor,
}

impl BiLm {
    /// Takes its weights from `source`.
    ///
    /// # Errors
    /// See [`Source::encoder`].
    pub fn new(
        builder: &mut Builder,
        source: &Source,
        options: &Options,
    ) -> Result<Self, TrainError> {
        let tokens = TokenEncoder::new(builder, source, options)?;
        let lstm = &options.lstm;
        let layers = (0..lstm.n_layers)
            .map(|layer| {
                let mut cell = |word: &str| {
                    let name = format!("_elmo_lstm.{word}_layer_{layer}");
                    Cell::new(builder, source, &name, lstm, (lstm.n_layers - 1 - layer) as u32)
                };
                Ok([cell("forward")?, cell("backward")?])
            })
            .collect::<Result<_, TrainError>>()?;
        Ok(Self { tokens, layers, skip: lstm.use_skip_connections })
    }

    /// All layers, each `[batch, words, 2 * projection]` with 0 at padded words: the token's own vector
    /// twice, then the LSTM layers, forward beside backward. `characters` is `[batch, words, 50]` with the
    /// words that begin and end a text; `mask` `[batch, words]`, int64, 1 for real words. Goes on from
    /// `states` and leaves there where it ended, cut off from the gradient.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(
        &self,
        characters: &Tensor,
        mask: &Tensor,
        states: &mut States,
    ) -> Result<Vec<Tensor>, TrainError> {
        let tokens = self.tokens.forward(characters)?;
        let real = mask.f_to_kind(Kind::Float)?.f_unsqueeze(-1)?;
        let mut layers = vec![Tensor::f_cat(&[&tokens, &tokens], -1)?.f_mul(&real)?];
        let [mut forward, mut backward] = [tokens.shallow_clone(), reverse(&tokens, Some(mask))?];
        // The backward direction reads each text from its own end, and is turned back for the answer.
        for (index, [first, second]) in self.layers.iter().enumerate() {
            let start = states.start(index, mask.size()[0], first, forward.device())?;
            let [start_forward, start_backward] = start;
            let (mut ahead, end_forward) = first.run(&forward, &real, start_forward)?;
            let (mut back, end_backward) = second.run(&backward, &real, start_backward)?;
            states.keep(index, [end_forward, end_backward])?;
            if self.skip && index > 0 {
                (ahead, back) = (ahead.f_add(&forward)?, back.f_add(&backward)?);
            }
            layers.push(Tensor::f_cat(&[&ahead, &reverse(&back, Some(mask))?], -1)?);
            (forward, backward) = (ahead, back);
        }
        Ok(layers)
    }
}

impl States {
    /// The states of layer `index` for a batch.
    fn start(
        &self,
        index: usize,
        batch: i64,
        cell: &Cell,
        device: tch::Device,
    ) -> Result<[State; 2], TrainError> {
        let fit = |old: Option<&Tensor>, width: i64| -> Result<Tensor, TrainError> {
            let old_rows = old.map_or(0, |old| old.size()[0].min(batch));
            let new = Tensor::f_zeros([batch - old_rows, width], (Kind::Float, device))?;
            let Some(old) = old else { return Ok(new) };
            Ok(Tensor::f_cat(&[old.f_narrow(0, 0, old_rows)?, new], 0)?)
        };
        let of = |direction: usize| -> Result<State, TrainError> {
            let old = self.0.get(index).and_then(|pair| pair.get(direction));
            Ok(State {
                output: fit(old.map(|s| &s.output), cell.outputs)?,
                memory: fit(old.map(|s| &s.memory), cell.dim)?,
            })
        };
        Ok([of(0)?, of(1)?])
    }

    /// Remembers where layer `index` ended.
    fn keep(&mut self, index: usize, ends: [State; 2]) -> Result<(), TrainError> {
        let merge = |new: Tensor, old: Option<&Tensor>| -> Result<Tensor, TrainError> {
            let (new, rows) = (new.f_detach()?, new.size()[0]);
            let Some(old) = old.filter(|old| old.size()[0] > rows) else { return Ok(new) };
            let rest = old.f_narrow(0, rows, old.size()[0] - rows)?;
            Ok(Tensor::f_cat(&[new, rest], 0)?)
        };
        let old = self.0.get(index);
        let mut merged = Vec::with_capacity(2);
        for (direction, end) in ends.into_iter().enumerate() {
            let old = old.and_then(|pair| pair.get(direction));
            merged.push(State {
                output: merge(end.output, old.map(|s| &s.output))?,
                memory: merge(end.memory, old.map(|s| &s.memory))?,
            });
        }
        if let Ok(pair) = <[State; 2]>::try_from(merged) {
            match self.0.get_mut(index) {
                Some(place) => *place = pair,
                None => self.0.push(pair),
            }
        }
        Ok(())
    }
}

/// One LSTM layer in one direction, with projection and clipping. Gates in the order input, forget,
/// memory, output. Reference: AllenNLP `LstmCellWithProjection`.
struct Cell {
    input: Tensor,
    state: Tensor,
    bias: Tensor,
    projection: Tensor,
    memory_clip: Option<f64>,
    output_clip: Option<f64>,
    outputs: i64,
    dim: i64,
}

impl Cell {
    fn new(
        builder: &mut Builder,
        source: &Source,
        name: &str,
        lstm: &Lstm,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let (outputs, dim) = (lstm.projection_dim, lstm.dim);
        let mut make = |part: &str, shape: &[i64], fresh| {
            source.encoder(builder, &format!("{name}.{part}"), shape, fresh, depth)
        };
        Ok(Self {
            input: make("input_linearity.weight", &[4 * dim, outputs], Fresh::Normal)?,
            state: make("state_linearity.weight", &[4 * dim, outputs], Fresh::Normal)?,
            bias: make("state_linearity.bias", &[4 * dim], Fresh::Zeros)?,
            projection: make("state_projection.weight", &[outputs, dim], Fresh::Normal)?,
            memory_clip: lstm.cell_clip,
            output_clip: lstm.proj_clip,
            outputs,
            dim,
        })
    }

    /// `[batch, words, projection]` -> the same, from left to right, with 0 where `real`
    /// (`[batch, words, 1]`) is 0; and the state behind each row's last real word.
    fn run(&self, x: &Tensor, real: &Tensor, start: State) -> Result<(Tensor, State), TrainError> {
        let inputs = x.f_linear(&self.input, None::<&Tensor>)?.f_unbind(1)?;
        let real = real.f_unbind(1)?;
        let State { mut output, mut memory } = start;
        let mut outputs = Vec::with_capacity(inputs.len());
        for (input, real) in inputs.iter().zip(&real) {
            let gates = output.f_linear(&self.state, Some(&self.bias))?.f_add(input)?;
            let gates = gates.f_chunk(4, -1)?;
            let [enter, forget, new, leave] = &gates[..] else { break };
            let kept = forget.f_sigmoid()?.f_mul(&memory)?;
            let cell =
                clip(enter.f_sigmoid()?.f_mul(&new.f_tanh()?)?.f_add(&kept)?, self.memory_clip)?;
            let seen = leave.f_sigmoid()?.f_mul(&cell.f_tanh()?)?;
            let seen = clip(seen.f_linear(&self.projection, None::<&Tensor>)?, self.output_clip)?;
            outputs.push(seen.f_mul(real)?);
            // A padded word changes nothing.
            memory = memory.f_lerp_tensor(&cell, real)?;
            output = output.f_lerp_tensor(&seen, real)?;
        }
        Ok((Tensor::f_stack(&outputs, 1)?, State { output, memory }))
    }
}

fn clip(x: Tensor, most: Option<f64>) -> Result<Tensor, TrainError> {
    match most {
        Some(most) => Ok(x.f_clamp(-most, most)?),
        None => Ok(x),
    }
}
