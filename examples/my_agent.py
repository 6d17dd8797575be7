"""An agent of one's own, named on the command line as ``examples/my_agent.py:EdgeSeeker``."""

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_gradient_magnitude

from skysteer.agent import Choice, Request
from skysteer.models import inverse_distance


class EdgeSeeker:
    """Measures where the map is steep and no measured pixel is near."""

    def choose(self, request: Request) -> Choice:
        """Score every free pixel by slope x distance; equal scores go by row, then column."""
        free = ~request.taken
        image = inverse_distance(request.scan) / (np.ptp(request.scan.values) or 1.0)
        slope = gaussian_gradient_magnitude(image, sigma=1.0)
        score = np.round((slope + 0.01) * distance_transform_edt(free), 6)[free]
        best = np.argsort(-score, kind="stable")[: request.num]
        return Choice(np.argwhere(free)[best], score[best])
