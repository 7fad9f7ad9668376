// Choosing one meter, or all of them where `all` names that choice.

import type { Meter } from "./api";

export function MeterSelect({ meters, value, all, onChange }: {
  meters: Meter[];
  value: string | null;
  all?: string;
  onChange: (kid: string | null) => void;
}) {
  return (
    <label class="field">
      <span>Meter</span>
      <select value={value ?? ""} onChange={(event) => onChange(event.currentTarget.value || null)}>
        {all && <option value="">{all}</option>}
        {meters.map((meter) => <option key={meter.kid} value={meter.kid}>{meter.label}</option>)}
      </select>
    </label>
  );
}
