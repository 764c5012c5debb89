-- wrk's side of bench/calls.py: unique callids, one report for each connection.
-- Arguments after "--": first number, head with %d, body with %s %s, and the
-- four numbers that make a callid.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  number = tonumber(args[1])
  head, body = args[2], args[3]
  first_epoch, epoch_step = tonumber(args[4]), tonumber(args[5])
  first_counter, counter_step = tonumber(args[6]), tonumber(args[7])
end

function request()
  local epoch = first_epoch + epoch_step * number
  local counter = first_counter + counter_step * number
  number = number + 1
  local text = string.format(
    body,
    string.format("%d.%d", epoch, counter),
    string.format("%d.%d", epoch, counter - 2)
  )
  return string.format(head, #text) .. text
end

-- One line of JSON, so that nothing has to be read out of wrk's prose.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"answered":%d,"duration_us":%d,"next":%d,"refused":%d,"connect":%d,"broken":%d,"timeout":%d}\n',
    summary.requests, summary.duration, threads[1]:get("number"),
    errors.status, errors.connect, errors.read + errors.write, errors.timeout
  ))
end
