"""The data as far as a Gaussian likelihood sees them: sums that add, subtract and stream."""

from skreg.moments.chunks import ChunkError
from skreg.moments.collections import dask_moments
from skreg.moments.moments import Moments
from skreg.moments.readers import array_chunks, frame_chunks, parquet_chunks

__all__ = ["ChunkError", "Moments", "array_chunks", "dask_moments", "frame_chunks", "parquet_chunks"]
