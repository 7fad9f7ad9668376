// What every screen is given.

import type { Place } from "./hooks";
import type { State } from "./state";

export interface ScreenProps {
  state: State;
  place: Place;
}
