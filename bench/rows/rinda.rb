# Row 16's peer: Ruby's own tuple space, Rinda, in process. Writes a tuple and takes it again while `held` others stay, which
# differ from it at place `differs` (0 or 1). Prints the pairs per second of this thread's CPU time, as the other subjects do.
#   ruby rinda.rb HELD DIFFERS SECONDS
require 'json'
require 'rinda/tuplespace'

held, differs, seconds = Integer(ARGV[0]), Integer(ARGV[1]), Float(ARGV[2])

def cpu
  Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID)
end

space = Rinda::TupleSpace.new
held.times { |i| space.write(differs == 0 ? ["other#{i}", 'me', i] : ['job', "other#{i}", i], 3600) }

written = 0
rate = lambda do |period, chunk|
  from = cpu
  pairs = 0
  spent = 0
  while spent < period
    chunk.times do
      space.write(['job', 'me', written])
      raise 'a tuple came out of turn' unless space.take(['job', 'me', nil])[2] == written
      written += 1
    end
    pairs += chunk
    spent = cpu - from
  end
  pairs / spent
end

chunk = held == 0 ? 500 : 1
rate.call(seconds * 0.4, chunk)
value = rate.call(seconds, chunk)
left = space.read_all([nil, nil, nil]).size
raise "#{left} tuples are left instead of #{held}" unless left == held
puts({ value: value }.to_json)
