"""Architectures, one a file, and `ImageClassifier`, on which they are built."""

from lightning_modules.alexnet import AlexNet
from lightning_modules.classifier import ImageClassifier
from lightning_modules.inception import NaiveInception, ReducedInception
from lightning_modules.minigooglenet import MiniGoogLeNet
from lightning_modules.mlp import MLP
from lightning_modules.resnet import ResNet
from lightning_modules.small_cnn import SmallCNN
from lightning_modules.strided_cnn import StridedCNN
from lightning_modules.thirteen_layer_cnn import ThirteenLayerCNN
from lightning_modules.timm_model import TimmModel
from lightning_modules.torchvision_model import TorchvisionModel
from lightning_modules.vgg19 import VGG19

__all__ = [
    "MLP",
    "VGG19",
    "AlexNet",
    "ImageClassifier",
    "MiniGoogLeNet",
    "NaiveInception",
    "ReducedInception",
    "ResNet",
    "SmallCNN",
    "StridedCNN",
    "ThirteenLayerCNN",
    "TimmModel",
    "TorchvisionModel",
]
