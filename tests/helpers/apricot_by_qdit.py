"""A plugin of pytest: apricot's own tests then test the class that takes the place of apricot's."""

import apricot

from qdit.adapters.apricot import FacilityLocationSelection

apricot.FacilityLocationSelection = FacilityLocationSelection
