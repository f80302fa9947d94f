"""A head over the mean or the largest of BERT's token vectors, as tuneboard trains it.

transformers loads it with `trust_remote_code=True`; without that it refuses rather than draw a head of its own.
"""
import torch
from torch import nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class TuneboardBertConfig(BertConfig):
    model_type = "tuneboard-bert"


class TuneboardBertForSequenceClassification(BertPreTrainedModel):
    config_class = TuneboardBertConfig

    def __init__(self, config):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, position_ids=None,
                inputs_embeds=None, labels=None, **kwargs):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids,
                           position_ids=position_ids, inputs_embeds=inputs_embeds).last_hidden_state
        mask = hidden.new_ones(hidden.shape[:2]) if attention_mask is None else attention_mask
        mask = mask.unsqueeze(-1).to(hidden.dtype)
        if self.config.tuneboard_pool == "max":
            vectors = hidden.masked_fill(mask == 0, torch.finfo(hidden.dtype).min).amax(1)
        else:
            vectors = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        logits = self.classifier(self.dropout(vectors))
        loss = None
        if labels is not None:
            losses = {"regression": nn.functional.mse_loss,
                      "multi_label_classification": nn.functional.binary_cross_entropy_with_logits}
            loss_of = losses.get(self.config.problem_type, nn.functional.cross_entropy)
            loss = loss_of(logits, labels.view_as(logits) if self.config.problem_type in losses else labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
