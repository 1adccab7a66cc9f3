"""Modules of somebody's own, as a file that `cadence describe` is pointed to."""

MINE = """
import torch
from torch import nn
class Wide(nn.Module):
    def __init__(self, width: int = 4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, images):
        return self.conv(images)
class Two(nn.Module):
    def forward(self, first, second):
        return first + second
class Silent(nn.Module):
    def forward(self, images):
        return None
class Reading(nn.Module):
    def forward(self, images):
        return images if images.sum().item() > 0 else -images
class Keyword(nn.Module):
    def forward(self, *, images):
        return images
class Still(nn.Module):
    pass
class Places(nn.Module):
    def forward(self, images):
        return images.argmax(1)
class Blank(nn.Module):
    def forward(self, images):
        raise ValueError("\\n")
class TextNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.fc = nn.Embedding(100, 8), nn.Linear(8, 2)
    def forward(self, words):
        return self.fc(self.embed(words).mean(1))
class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.times, self.back = nn.Conv2d(3, 4, 3, padding=1), nn.Embedding(50, 4), nn.Conv2d(4, 3, 1)
    def forward(self, images, time, mask=None):
        maps = self.conv(images) + self.times(time)[:, :, None, None]
        return self.back(maps if mask is None else maps * mask)
class Frequencies(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 8 * 5, 2)
    def forward(self, images):
        return self.fc(torch.fft.rfft2(images).abs().flatten(1))
class Default(Wide):
    def forward(self, images=None, labels=None):
        print("shape", images.shape)
        self.last = self.conv(images)
        return self.last
"""
