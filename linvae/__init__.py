"""linvae: linear generative models, small and tested, under the book of the same name."""

from .decoders import MMLR
from .encoders import PCA
from .generative import LinearGenerativeModel
from .moments import CrossMoments, Moments

__version__ = "0.1.0"
__all__ = ["MMLR", "PCA", "CrossMoments", "LinearGenerativeModel", "Moments"]
